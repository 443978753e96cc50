"""Derivatives of a stored picture: another format on request, and a thumbnail that is kept in the storage.

A conversion runs in a decoder process, with its limits of memory and time and its fair turns. A converted
file is not stored, because it follows from the picture; a thumbnail is, because lists show many of them.
"""

from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from services.api.images.files import MOST_PIXELS, picture_problem
from services.api.images.repository import read_content
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.job_store.clock import database_time
from shared.pictures.converting import DEFAULT_QUALITY, THUMBNAIL, Conversion
from shared.pictures.errors import ImageError
from shared.problem_documents import FieldError
from shared.schemas.jobs import OutputFormat
from shared.storage import ObjectMissingError, thumbnail_key
from shared.tables import Image

MEDIA_TYPES: dict[OutputFormat, str] = {
    OutputFormat.PNG: "image/png",
    OutputFormat.WEBP: "image/webp",
    OutputFormat.JPEG: "image/jpeg",
}


def conversion_of(image: Image, wanted: OutputFormat | None, quality: int | None) -> Conversion | None:
    """The conversion that a request asks for; None for the stored file. Raises Problem."""
    if quality is not None and wanted in (None, OutputFormat.PNG):
        detail = "quality: Only the formats webp and jpeg have a quality."
        error = FieldError(param="quality", code="quality_without_format", message=detail)
        raise Problem(ProblemCode.INVALID_REQUEST, detail, param="quality", errors=[error])
    if wanted is None or (MEDIA_TYPES[wanted] == image.media_type and quality is None):
        return None
    return Conversion(MEDIA_TYPES[wanted], quality or DEFAULT_QUALITY)


async def read_converted(gateway: Gateway, image: Image, conversion: Conversion | None) -> bytes:
    """The picture's file, converted if that is asked for. Raises Problem or StorageError."""
    data = await read_content(gateway, image)
    return data if conversion is None else await converted(gateway, image.project_id, data, conversion)


async def read_thumbnail(gateway: Gateway, image: Image) -> bytes:
    """The picture's thumbnail, which the first request makes and stores. Raises Problem or StorageError."""
    key = thumbnail_key(image.storage_key)
    try:
        return await gateway.storage.get(key)
    except ObjectMissingError:
        data = await converted(gateway, image.project_id, await read_content(gateway, image), THUMBNAIL)
        async with gateway.database.transaction() as session:
            await session.run_sync(note_thumbnail, image.id)
        await gateway.storage.put_once(key, data, THUMBNAIL.media_type)
        return data


def note_thumbnail(session: Session, image_id: UUID) -> None:
    """Note that a thumbnail is about to be stored, so that it can be deleted after its retention."""
    session.execute(
        update(Image)
        .where(Image.id == image_id)
        .values(thumbnail_at=database_time())
        .execution_options(synchronize_session=False)
    )


async def converted(gateway: Gateway, project_id: UUID, data: bytes, conversion: Conversion) -> bytes:
    """The converted file. Raises Problem."""
    try:
        return await gateway.decoders.convert(data, MOST_PIXELS, conversion, project_id)
    except ImageError as error:
        raise picture_problem(error) from error
