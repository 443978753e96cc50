"""Check the pictures and codes of an import, then store the pictures provisionally, one at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from services.api.images.files import read_picture
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from services.api.sessions.import_archive import Archive, invalid
from services.api.sessions.import_check import CheckedSession
from services.api.sessions.manifest import ExportedGrid, ExportedPicture, certainty_name
from shared.job_store.clock import database_time, time_after
from shared.png_text import recipe_hash
from shared.storage import content_key, upload_folder
from shared.tables import Image
from shared.token_grid import HEADER, TokenGrid, TokenGridError

PNG = "image/png"
STORING_SECONDS = 7200.0
"""Expiry of the pictures' rows until the session is there; an import that takes longer fails."""
REFUSALS = frozenset(
    {ProblemCode.IMAGE_UNREADABLE, ProblemCode.IMAGE_TOO_LARGE, ProblemCode.IMAGE_TOO_COMPLEX}
)
GoOn = Callable[[], Awaitable[None]]
"""Called between pictures; raises Problem if the import must not go on."""


async def check_pictures(
    gateway: Gateway, project_id: UUID, archive: Archive, session: CheckedSession, go_on: GoOn
) -> None:
    """Decode every picture and read all codes. Raises Problem that names the file."""
    for image, picture in session.pictures.items():
        await go_on()
        for grid in session.grids[image]:
            await asyncio.to_thread(check_grid, archive, grid)
        if picture.file is None:
            continue
        data = await asyncio.to_thread(archive.read, picture.file)
        await check_picture(gateway, project_id, picture, data)
        if image in session.outputs and picture.media_type == PNG:
            recipe = await asyncio.to_thread(recipe_hash, data)
            if recipe is not None and recipe != session.outputs[image].tokens_sha256:
                raise invalid(picture.file, "The recipe in the picture has another hash of codes.")


async def check_picture(gateway: Gateway, project_id: UUID, picture: ExportedPicture, data: bytes) -> None:
    """Raise Problem unless the file is the described picture."""
    name = picture.file or ""
    try:
        found = await read_picture(gateway.decoders, project_id, data)
    except Problem as problem:
        if problem.code not in REFUSALS:
            raise
        raise invalid(name, problem.detail) from problem
    described = (picture.media_type, picture.width, picture.height, picture.byte_size)
    if (found.media_type, found.width, found.height, len(data)) != described:
        raise invalid(name, "The picture has another format or size than the manifest says.")


def check_grid(archive: Archive, described: ExportedGrid) -> None:
    """Raise Problem unless the file is a grid whose cells are squares of the described size."""
    data, certainty = archive.read(described.file), certainty_name(described.file)
    if described.certainty is not None and archive.size(certainty) != len(data) - HEADER.size:
        raise invalid(certainty, "The file does not have a certainty for each cell.")
    try:
        grid = TokenGrid.from_bytes(data)
    except TokenGridError as error:
        raise invalid(described.file, f"{error}.") from error
    cell, rest = divmod(described.width, grid.width)
    if rest or (grid.width * cell, grid.height * cell) != (described.width, described.height):
        raise invalid(described.file, "The codes do not fill the size that codes.json says.")


def insert_provisional(session: Session, project_id: UUID, checked: CheckedSession) -> Mapping[UUID, Image]:
    """Insert the rows of all pictures with a file; they expire soon, and their objects are not stored yet.

    Returns the rows by the ids in the zip file.
    """
    stored = {old: picture for old, picture in checked.pictures.items() if picture.file is not None}
    return {
        old: insert_image(session, project_id, picture, expires_at=time_after(STORING_SECONDS))
        for old, picture in stored.items()
    }


def insert_gone(session: Session, project_id: UUID, checked: CheckedSession) -> Mapping[UUID, UUID]:
    """Insert the rows of pictures whose files were deleted before the export; their new ids by their old."""
    gone = {old: picture for old, picture in checked.pictures.items() if picture.file is None}
    return {
        old: insert_image(session, project_id, picture, deleted_at=database_time()).id
        for old, picture in gone.items()
    }


def insert_image(session: Session, project_id: UUID, picture: ExportedPicture, **times: Any) -> Image:
    """Insert the row of a picture, with a storage key of its own."""
    digest = bytes.fromhex(picture.sha256)
    statement = (
        insert(Image)
        .values(
            project_id=project_id,
            origin=picture.origin.value,
            media_type=picture.media_type,
            storage_key=content_key(upload_folder(project_id), digest, picture.media_type),
            sha256=digest,
            byte_size=picture.byte_size,
            width=picture.width,
            height=picture.height,
            **times,
        )
        .returning(Image)
    )
    return session.scalars(statement).one()


async def store_pictures(
    gateway: Gateway, archive: Archive, checked: CheckedSession, rows: Mapping[UUID, Image], go_on: GoOn
) -> None:
    """Store the files of the pictures. Raises StorageError; the rows then stay for the sweeper."""
    for old, row in rows.items():
        await go_on()
        data = await asyncio.to_thread(archive.read, checked.pictures[old].file or "")
        await gateway.storage.put_once(row.storage_key, data, row.media_type)
