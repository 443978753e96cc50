"""Store pictures before the request that needs them is accepted, and remove them if it is refused.

Rows that expire soon are inserted first, then the objects are stored; the transaction that accepts the
request removes the expiry. Pictures of a refused request are removed at once; if the gateway dies or the
storage does not answer, the sweeper of expired pictures removes them. So every object in the storage has a
row.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from uuid import UUID

from sqlalchemy import delete, insert, null, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from services.api.images.files import PictureFile
from services.api.process.gateway import Gateway
from shared.error_words import words_of
from shared.job_store.clock import time_after
from shared.job_store.removal import Removal, begin_removal, is_kept
from shared.storage import StorageError, content_key, upload_folder
from shared.tables import Image, ImageOrigin

logger = logging.getLogger(__name__)

PROVISIONAL_SECONDS = 600.0
"""Expiry of the first rows; no request takes so long until it is accepted."""


@asynccontextmanager
async def provisionally_stored(
    gateway: Gateway, project_id: UUID, pictures: Mapping[str, PictureFile]
) -> AsyncGenerator[Mapping[str, UUID]]:
    """Store the pictures and yield their ids by the same names.

    The block must call `keep_images` to keep them; if it raises, they are removed. Raises StorageError.
    """
    if not pictures:
        yield {}
        return
    async with gateway.database.transaction() as session:
        images = await session.run_sync(insert_provisional, project_id, pictures)
    await put_all(gateway, pictures, images)
    ids = {name: image.id for name, image in images.items()}
    try:
        yield ids
    except Exception:
        await discard(gateway, ids.values())
        raise


def insert_provisional(
    session: Session, project_id: UUID, pictures: Mapping[str, PictureFile]
) -> dict[str, Image]:
    """Insert rows of uploaded pictures that expire soon; their objects are not stored yet."""
    images: dict[str, Image] = {}
    for name, picture in pictures.items():
        digest = sha256(picture.data).digest()
        statement = (
            insert(Image)
            .values(
                project_id=project_id,
                origin=ImageOrigin.UPLOADED.value,
                media_type=picture.media_type,
                storage_key=content_key(upload_folder(project_id), digest, picture.media_type),
                sha256=digest,
                byte_size=len(picture.data),
                width=picture.width,
                height=picture.height,
                expires_at=time_after(PROVISIONAL_SECONDS),
            )
            .returning(Image)
        )
        images[name] = session.scalars(statement).one()
    return images


async def put_all(gateway: Gateway, pictures: Mapping[str, PictureFile], images: Mapping[str, Image]) -> None:
    """Store every object, or raise StorageError.

    After an error the rows stay for the sweeper: a put that got no answer may still take effect later, after
    a removal here.
    """
    puts = [
        gateway.storage.put_image(
            images[name].storage_key.rpartition("/")[0], picture.data, picture.media_type
        )
        for name, picture in pictures.items()
    ]
    for outcome in await asyncio.gather(*puts, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def keep_images(session: Session, ids: Collection[UUID]) -> list[Image]:
    """Remove the expiry of the pictures, in the transaction of the request that needs them.

    Raises StorageError if one of them has expired already.
    """
    statement = (
        update(Image)
        .where(is_kept(ids))
        .values(expires_at=null())
        .returning(Image)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    kept = list(session.scalars(statement)) if ids else []
    if len(kept) < len(ids):
        raise StorageError("the pictures took too long to be stored")
    return kept


async def discard(gateway: Gateway, ids: Collection[UUID]) -> None:
    """Remove the objects and rows of pictures that were not kept.

    If the outcome of the request's commit is unknown, the rows show it: kept ones have no expiry any more.
    """
    try:
        async with gateway.database.transaction() as session:
            removals = await session.run_sync(claim_unkept, ids)
        for removal in removals:
            for key in removal.keys:
                await gateway.storage.delete(key)
        async with gateway.database.transaction() as session:
            gone = [removal.image_id for removal in removals]
            await session.execute(delete(Image).where(Image.id.in_(gone)))
    except (SQLAlchemyError, StorageError) as error:
        logger.warning(
            "pictures of a refused request were not removed; the sweeper removes them when they expire",
            extra={"reason": words_of(error)},
        )


def claim_unkept(session: Session, ids: Collection[UUID]) -> list[Removal]:
    """Claim those of the pictures that were not kept: the request cannot keep them any more."""
    unkept = select(Image).where(is_kept(ids), Image.expires_at.is_not(None))
    return begin_removal(session, session.scalars(unkept.with_for_update()).all())
