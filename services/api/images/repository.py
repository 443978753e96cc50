"""Store pictures of a project in the bucket and the database, find them by id, read their files."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.images.files import read_picture
from services.api.images.provisional import keep_images, provisionally_stored
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.ids import IdKind, format_id
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
    image = session.scalars(select(Image).where(Image.id == image_id, Image.project_id == project_id)).first()
    if image is None:
        raise Problem(ProblemCode.NOT_FOUND, "There is no image with this id.", param="image_id")
    if image.is_expired:
        raise expired()
    return image


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
