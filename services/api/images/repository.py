"""Store pictures of a project in the bucket and the database, find them by id, read their files."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.images.files import read_picture
from services.api.images.provisional import keep_images, provisionally_stored
from services.api.images.schemas import ImageState
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.ids import IdKind, format_id
from shared.job_store.restore import RestoreError, find_restore, has_usable_codes, restorable_images
from shared.job_store.retention import expiry_of
from shared.settings import RetentionSettings
from shared.storage import EXTENSIONS, ObjectMissingError
from shared.tables import Image


async def store_picture(gateway: Gateway, project_id: UUID, data: bytes) -> Image:
    """Check the picture and store it. Raises Problem or StorageError."""
    picture = await read_picture(gateway.decoders, project_id, data)
    async with (
        provisionally_stored(gateway, project_id, {"image": picture}) as ids,
        gateway.database.transaction() as session,
    ):
        (image,) = await session.run_sync(keep_images, list(ids.values()))
    return image


def find_image(session: Session, project_id: UUID, image_id: UUID) -> Image:
    """The picture's row. Raises Problem: not_found, also for another project's picture, or image_expired."""
    image = find_row(session, project_id, image_id)
    if image.is_expired:
        raise expired()
    return image


def find_row(session: Session, project_id: UUID, image_id: UUID) -> Image:
    """The row of a picture, which may be expired. Raises Problem (not_found)."""
    image = session.scalars(select(Image).where(Image.id == image_id, Image.project_id == project_id)).first()
    if image is None:
        raise Problem(ProblemCode.NOT_FOUND, "There is no image with this id.", param="image_id")
    return image


def find_start(session: Session, project_id: UUID, image_id: UUID) -> Image:
    """A picture that a job can start from: if its file has expired, its codes are kept. Raises Problem."""
    image = find_row(session, project_id, image_id)
    if image.is_expired and not has_usable_codes(session, image.id):
        raise expired()
    return image


def state_of(session: Session, image: Image, retention: RetentionSettings) -> ImageState:
    """What a response shows of the picture besides its row."""
    if not image.is_expired:
        return ImageState(expiry_of(session, image, retention))
    restore = find_restore(session, image.id)
    failed = None if restore is None else restore.error_code
    return ImageState(
        expiry_of(session, image, retention),
        restorable=bool(restorable_images(session, [image.id])),
        restoring=restore is not None and failed is None,
        restore_error=None if failed is None else RestoreError(failed),
    )


async def read_content(gateway: Gateway, image: Image) -> bytes:
    """The picture's file. Raises Problem (image_expired) or StorageError."""
    try:
        return await gateway.storage.get(image.storage_key)
    except ObjectMissingError as error:
        raise expired() from error


def content_headers(image: Image, media_type: str) -> dict[str, str]:
    """Headers of a picture's file: browsers may cache it for ever, and never run it as HTML."""
    return {
        "Cache-Control": "private, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": f'inline; filename="{file_name(image, media_type)}"',
    }


def file_name(image: Image, media_type: str) -> str:
    """Name under which browsers save the picture, with the extension of its format."""
    return f"{format_id(IdKind.IMAGE, image.id)}.{EXTENSIONS.get(media_type, 'bin')}"


def expired() -> Problem:
    """Problem of a picture whose file was deleted."""
    return Problem(ProblemCode.IMAGE_EXPIRED, "The file of this image was deleted.", param="image_id")
