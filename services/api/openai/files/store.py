"""Store and delete files. A row is written first, then its objects: so every object has a row."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from services.api.images.repository import store_picture
from services.api.openai.files.parts import JSON_LINES, PART_BYTES, part_keys
from services.api.openai.files.repository import find_file
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.ids import IdKind, format_id
from shared.job_store.clock import database_time, time_after
from shared.pictures.formats import FORMAT_NAMES, find_format
from shared.storage import file_folder, part_key
from shared.tables import Image, ImageOrigin, OpenAIFile

BATCH = "batch"
"""Purpose of a file with the requests of a batch."""


@dataclass(frozen=True)
class Upload:
    """A file that a client sends. keep_seconds: time after which it expires; None for never."""

    data: bytes
    purpose: str
    name: str
    keep_seconds: int | None = None

    def values(self) -> dict[str, object]:
        """The columns that say so."""
        return {
            "purpose": self.purpose,
            "file_name": self.name,
            "byte_size": len(self.data),
            "expires_at": None if self.keep_seconds is None else time_after(self.keep_seconds),
        }


async def store_file(gateway: Gateway, project_id: UUID, upload: Upload) -> OpenAIFile:
    """Store a picture, or the requests of a batch. Raises Problem or StorageError."""
    if upload.purpose == BATCH:
        return await store_lines(gateway, project_id, upload)
    if find_format(upload.data) is None:
        detail = f"file: This purpose needs a {FORMAT_NAMES} picture; requests have the purpose `batch`."
        raise Problem(ProblemCode.IMAGE_UNREADABLE, detail, param="file")
    image = await store_picture(gateway, project_id, upload.data)
    values = {**upload.values(), "image_id": image.id, "stored_at": database_time()}
    async with gateway.database.transaction() as session:
        return await session.run_sync(insert_file, project_id, values)


async def store_lines(gateway: Gateway, project_id: UUID, upload: Upload) -> OpenAIFile:
    """Store a file of lines in parts. Raises StorageError."""
    file = await begin_file(gateway, project_id, upload.values())
    for index, start in enumerate(range(0, len(upload.data), PART_BYTES)):
        await put_part(gateway, file, index, upload.data[start : start + PART_BYTES])
    async with gateway.database.transaction() as session:
        return await session.run_sync(mark_stored, file, len(upload.data))


async def begin_file(gateway: Gateway, project_id: UUID, values: Mapping[str, object]) -> OpenAIFile:
    """Insert the row of a file whose parts are stored afterwards; nobody sees it before `mark_stored`."""
    parts = {"storage_key": file_folder(project_id), "part_bytes": PART_BYTES}
    async with gateway.database.transaction() as session:
        return await session.run_sync(insert_file, project_id, {**values, **parts})


async def put_part(gateway: Gateway, file: OpenAIFile, index: int, data: bytes) -> None:
    """Store one part. Raises StorageError."""
    await gateway.storage.put_once(part_key(file.storage_key or "", index), data, JSON_LINES)


def insert_file(session: Session, project_id: UUID, values: Mapping[str, object]) -> OpenAIFile:
    """Insert the row of a file."""
    statement = insert(OpenAIFile).values(project_id=project_id, **values).returning(OpenAIFile)
    return session.scalars(statement).one()


def note_size(session: Session, file: OpenAIFile, byte_size: int) -> None:
    """Note how many parts a file has that is still being written."""
    session.execute(
        update(OpenAIFile)
        .where(OpenAIFile.id == file.id, OpenAIFile.project_id == file.project_id)
        .values(byte_size=byte_size)
        .execution_options(synchronize_session=False)
    )


def mark_stored(session: Session, file: OpenAIFile, byte_size: int) -> OpenAIFile:
    """Show a file whose parts are stored."""
    statement = (
        update(OpenAIFile)
        .where(OpenAIFile.id == file.id, OpenAIFile.project_id == file.project_id)
        .values(stored_at=database_time(), byte_size=byte_size)
        .returning(OpenAIFile)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return session.scalars(statement).one()


async def delete_file(gateway: Gateway, project_id: UUID, file_id: UUID) -> str:
    """Delete the objects and then the row; a picture expires at once. Returns the id. Raises Problem."""
    async with gateway.database.transaction() as session:
        file = await session.run_sync(find_file, project_id, file_id)
    for key in part_keys(file):
        await gateway.storage.delete(key)
    async with gateway.database.transaction() as session:
        await session.run_sync(remove_row, file)
    return format_id(IdKind.FILE, file.id)


def remove_row(session: Session, file: OpenAIFile) -> None:
    """Delete the row, and let the file's picture expire."""
    session.execute(
        delete(OpenAIFile)
        .where(OpenAIFile.id == file.id, OpenAIFile.project_id == file.project_id)
        .execution_options(synchronize_session=False)
    )
    if file.image_id is not None:
        session.execute(
            update(Image)
            .where(
                Image.id == file.image_id,
                Image.project_id == file.project_id,
                Image.origin == ImageOrigin.UPLOADED.value,
            )
            .values(expires_at=database_time())
            .execution_options(synchronize_session=False)
        )
