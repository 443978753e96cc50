"""Ask every layer whether this installation has drawn a picture."""

import asyncio
import hashlib
import math
from collections.abc import Sequence
from uuid import UUID

from services.api.auth.api_keys import Caller
from services.api.images.files import PictureFile, read_picture
from services.api.process.acting import Purpose, as_platform
from services.api.process.content_credentials import read_credentials
from services.api.process.gateway import Gateway
from services.api.process.image_tokenizer import Inspection, KnownNoise
from services.api.provenance.compare import Found, compare_codes, match_of_pixels
from services.api.provenance.repository import (
    find_known,
    noise_of,
    registry_size,
    sizes_of_pictures,
)
from services.api.provenance.schemas import (
    CredentialsLayer,
    ProvenanceCheck,
    RegistryLayer,
    State,
    WatermarkLayer,
)
from services.api.provenance.sizes import sizes_to_try
from shared.fingerprints import pixels_hash
from shared.ids import IdKind, format_id
from shared.tables import PictureFingerprint

EVERYBODY = UUID(int=0)
"""Takes the place of the project for callers without a key: together they are one owner of decoders."""
LARGEST_P_VALUE = 1e-4
"""Evidence that chance explains with a greater probability is not shown."""
SMALLEST_P_VALUE = 1e-300
MOST_DRAWN_SIZES = 16


async def check_picture(gateway: Gateway, caller: Caller | None, data: bytes) -> ProvenanceCheck:
    """What each layer says about a picture file. Raises Problem for a file that is no picture."""
    project_id = caller.project_id if caller else None
    picture = await read_picture(gateway.decoders, project_id or EVERYBODY, data)
    found, inspections = await look_into_registry(gateway, project_id, picture)
    registry = shown(found, project_id) if found else RegistryLayer(state=state_without_match(inspections))
    watermark = await look_for_watermark(gateway, found, inspections)
    credentials = await read_own_credentials(gateway, picture)
    return ProvenanceCheck(
        drawn_here=State.FOUND in {registry.state, watermark.state, credentials.state},
        sha256=hashlib.sha256(data).hexdigest(),
        media_type=picture.media_type,
        width=picture.width,
        height=picture.height,
        registry=registry,
        watermark=watermark,
        content_credentials=credentials,
    )


async def read_own_credentials(gateway: Gateway, picture: PictureFile) -> CredentialsLayer:
    """What the credentials in the file say."""
    read = await asyncio.to_thread(read_credentials, picture.data, picture.media_type, gateway.credentials)
    if read is None:
        return CredentialsLayer(state=State.NOT_FOUND)
    return CredentialsLayer.model_validate(
        {
            "state": State.FOUND if read.own else State.NOT_FOUND,
            "validation": read.state.lower(),
            "issuer": read.issuer,
            "generator": read.generator,
        }
    )


async def look_into_registry(
    gateway: Gateway, project_id: UUID | None, picture: PictureFile
) -> tuple[Found | None, Sequence[Inspection | None]]:
    """Compare the file's pixels, then its codes at several sizes, with those of drawn pictures.

    Returns the match, and the codes that were compared, the last ones with the match. An entry is None if the
    tokenizer service did not answer.
    """
    pixels = await asyncio.to_thread(pixels_hash, picture.data)
    async with as_platform(Purpose.PROVENANCE), gateway.database.transaction() as session:
        known = await session.run_sync(find_known, PictureFingerprint.pixels_sha256 == pixels, project_id)
        registry = await session.run_sync(registry_size)
        drawn = await session.run_sync(sizes_of_pictures, MOST_DRAWN_SIZES)
    if known is not None:
        return match_of_pixels(known, registry), []
    inspections: list[Inspection | None] = []
    for size in sizes_to_try(picture.width, picture.height, drawn):
        inspection = await gateway.image_tokenizer.inspect(picture.data, size)
        inspections.append(inspection)
        if inspection is None:
            continue
        async with as_platform(Purpose.PROVENANCE), gateway.database.transaction() as session:
            found = await session.run_sync(
                compare_codes, inspection, registry, project_id, math.log(LARGEST_P_VALUE)
            )
        if found is not None:
            return found, inspections
    return None, inspections


async def look_for_watermark(
    gateway: Gateway, found: Found | None, inspections: Sequence[Inspection | None]
) -> WatermarkLayer:
    """Search the codes for the installation's noise: for that of the match, or for all that may be in it."""
    known: KnownNoise | None = None
    if found is not None:
        async with as_platform(Purpose.PROVENANCE), gateway.database.transaction() as session:
            drawn = await session.run_sync(noise_of, found.known)
        if drawn is None:
            return WatermarkLayer(state=State.UNAVAILABLE)
        grid = found.grid or drawn.grid
        known = place_of(found, drawn.known, grid.height, grid.width)
        searched = [grid if known is not None else drawn.grid]
        known = known or drawn.known
    else:
        searched = [inspection.grid for inspection in inspections if inspection is not None]
    layer = WatermarkLayer(state=State.UNAVAILABLE if not searched else State.NOT_FOUND)
    for grid in searched:
        answer = await gateway.image_tokenizer.search_watermark(grid, known)
        if answer is None:
            layer = WatermarkLayer(state=State.UNAVAILABLE)
        elif answer.log_p is None:
            return WatermarkLayer(state=State.OFF)
        elif answer.log_p <= math.log(LARGEST_P_VALUE):
            return WatermarkLayer(state=State.FOUND, p_value=p_value(answer.log_p), cells=answer.cells)
        elif layer.state is State.NOT_FOUND:
            layer = WatermarkLayer(state=State.NOT_FOUND, p_value=p_value(answer.log_p), cells=answer.cells)
    return layer


def place_of(found: Found, noise: KnownNoise, height: int, width: int) -> KnownNoise | None:
    """The noise of a match with the place of the codes in it; None if they reach beyond the drawn picture."""
    if found.overlap is None:
        return noise
    row, column = found.overlap.row, found.overlap.column
    if row < 0 or column < 0 or row + height > noise.rows or column + width > noise.columns:
        return None
    return noise.model_copy(update={"row": row, "column": column})


def state_without_match(inspections: Sequence[Inspection | None]) -> State:
    """The registry's state if nothing matched."""
    return State.UNAVAILABLE if None in inspections else State.NOT_FOUND


def shown(found: Found, project_id: UUID | None) -> RegistryLayer:
    """The registry's answer. Another project's picture is not named."""
    known, overlap = found.known, found.overlap
    own = known.project_id == project_id
    return RegistryLayer(
        state=State.FOUND,
        match=found.match,
        p_value=p_value(found.log_p),
        matching_cells=None if overlap is None else overlap.matching,
        compared_cells=None if overlap is None else overlap.cells,
        image_id=format_id(IdKind.IMAGE, known.image_id) if own else None,
        job_id=format_id(IdKind.JOB, known.job_id) if own and known.job_id else None,
    )


def p_value(log_p: float) -> float:
    """A probability from its logarithm, within the range of JSON's numbers."""
    return min(1.0, math.exp(max(log_p, math.log(SMALLEST_P_VALUE))))
