"""Recognize a drawn picture that a program has saved in another format or size, by its fingerprint.

The registry of fingerprints compares codes, and finds pictures that have only parts in common, too. Here the
stored picture is edited in place of the given one, so both must look the same everywhere: what a user has
painted into a picture must not get lost.
"""

import asyncio
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from services.api.auth.api_keys import Caller
from services.api.images.files import MOST_PIXELS, picture_problem, read_picture
from services.api.images.known import stays
from services.api.images.repository import read_content
from services.api.process.gateway import Gateway
from services.api.provenance.check import look_into_registry
from services.api.provenance.sizes import has_shape
from shared.pictures.errors import ImageError
from shared.pictures.work import Panel
from shared.sizes import CELL_PIXELS
from shared.tables import Image

MOST_OF_A_CELL, MOST_ON_AVERAGE = 24.0, 8.0
"""Largest mean difference of colours, each from 0 to 255: in one cell, and over the whole picture.

Measured on 40 scenes of the bundled model: at most 23 and 6.5 after JPEG at quality 75, 18 and 4.7 after WebP
at 80, 21 and 4.8 after scaling to three quarters and back. A painted square of two cells changes a cell by 96
and more; a picture that is darker by a tenth differs by 8.4 and more on average.
"""


async def recognise(gateway: Gateway, caller: Caller, data: bytes) -> UUID | None:
    """The project's drawn picture that the file shows; None for a foreign file. Raises Problem."""
    given = await read_picture(gateway.decoders, caller.project_id, data)
    found, _ = await look_into_registry(gateway, caller.project_id, given)
    if found is None:
        return None
    wanted = (Image.id == found.known.image_id, Image.project_id == caller.project_id, stays())
    async with gateway.database.transaction() as session:
        image = (await session.scalars(select(Image).where(*wanted))).first()
    if image is None or image.is_expired:
        return None
    if not has_shape((image.width, image.height), given.width, given.height):
        return None
    panels = [await panel_of(gateway, image, file) for file in (data, await read_content(gateway, image))]
    return image.id if await asyncio.to_thread(look_alike, *panels) else None


async def panel_of(gateway: Gateway, image: Image, file: bytes) -> Panel:
    """The pixels of a file at the size of the stored picture. Raises Problem."""
    try:
        size = (image.width, image.height)
        return await gateway.decoders.fit(file, MOST_PIXELS, size, image.project_id)
    except ImageError as error:
        raise picture_problem(error) from error


def look_alike(first: Panel, second: Panel) -> bool:
    """Whether two pictures of equal size are the same but for the losses of saving them."""
    difference = np.abs(pixels_of(first) - pixels_of(second)).mean(axis=2)
    rows, columns = first.height // CELL_PIXELS, first.width // CELL_PIXELS
    cells = difference[: rows * CELL_PIXELS, : columns * CELL_PIXELS]
    means = cells.reshape(rows, CELL_PIXELS, columns, CELL_PIXELS).mean(axis=(1, 3))
    return bool(means.max() <= MOST_OF_A_CELL and means.mean() <= MOST_ON_AVERAGE)


def pixels_of(panel: Panel) -> NDArray[np.float32]:
    """The pixels as [height, width, 3]."""
    flat = np.frombuffer(panel.pixels, dtype=np.uint8)
    return flat.reshape(panel.height, panel.width, 3).astype(np.float32)
