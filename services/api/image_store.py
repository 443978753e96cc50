"""Pictures of a project: stored in the bucket and as a row, found by id, read."""

import asyncio
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from services.api.gateway import Gateway
from services.api.image_files import PictureFile, read_picture
from services.api.problems import Problem, ProblemCode
from shared.ids import IdKind, format_id
from shared.storage import ObjectMissingError, StoredObject, upload_folder
from shared.tables import Image, ImageOrigin


async def store_picture(gateway: Gateway, project_id: UUID, data: bytes) -> Image:
    """Check the picture, put it into the bucket, then insert its row. Raises Problem or StorageError.

    When the row fails the object stays, and nothing leads to it: whether a lost commit has happened is not
    known here, and bytes without a row do less harm than a row without bytes.
    """
    async with gateway.decoders:
        picture = await asyncio.to_thread(read_picture, data)
    folder = upload_folder(project_id)
    stored = await asyncio.to_thread(gateway.storage.put_image, folder, data, picture.media_type)
    async with gateway.database.transaction() as session:
        return await session.run_sync(insert_image, project_id, picture, stored)


def insert_image(session: Session, project_id: UUID, picture: PictureFile, stored: StoredObject) -> Image:
    """The row of an uploaded picture."""
    statement = (
        insert(Image)
        .values(
            project_id=project_id,
            origin=ImageOrigin.UPLOADED.value,
            media_type=picture.media_type,
            storage_key=stored.key,
            sha256=stored.sha256,
            byte_size=stored.byte_size,
            width=picture.width,
            height=picture.height,
        )
        .returning(Image)
    )
    return session.scalars(statement).one()


def find_image(session: Session, project_id: UUID, image_id: UUID) -> Image:
    """The row. Raises Problem, the same whether it does not exist or belongs to another project."""
    image = session.scalars(select(Image).where(Image.id == image_id, Image.project_id == project_id)).first()
    if image is None:
        raise Problem(ProblemCode.NOT_FOUND, "There is no image of this id.")
    if image.deleted_at is not None:
        raise expired()
    return image


async def read_content(gateway: Gateway, image: Image) -> bytes:
    """The picture's bytes. Raises Problem or StorageError."""
    try:
        return await asyncio.to_thread(gateway.storage.get, image.storage_key)
    except ObjectMissingError as error:
        raise expired() from error


def content_headers(image: Image) -> dict[str, str]:
    """How browsers and caches are to treat the bytes: for this client alone, for ever, never as a page."""
    return {
        "Cache-Control": "private, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
        "Content-Disposition": f'inline; filename="{format_id(IdKind.IMAGE, image.id)}"',
    }


def expired() -> Problem:
    """The refusal of a picture whose bytes are no more."""
    return Problem(ProblemCode.IMAGE_EXPIRED, "The bytes of this image were removed.")
