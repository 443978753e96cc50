"""Which objects in the storage belong to which pictures."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.storage import thumbnail_key
from shared.tables import Image


def is_shared(session: Session, image: Image) -> bool:
    """Whether another picture whose file is kept uses the same object.

    Earlier versions stored equal pictures as one object; no new row refers to such an object.
    """
    others = select(Image.id).where(
        Image.project_id == image.project_id,
        Image.storage_key == image.storage_key,
        Image.id != image.id,
        Image.deleted_at.is_(None),
        Image.removing_until.is_(None),
    )
    return session.scalars(others.limit(1)).first() is not None


def lone_keys(session: Session, images: Iterable[Image]) -> list[str]:
    """Keys of the objects that belong to these pictures alone, with their thumbnails."""
    return [key for image in images if not is_shared(session, image) for key in keys_of(image.storage_key)]


def keys_of(storage_key: str) -> tuple[str, str]:
    """Keys of a picture's objects: its thumbnail goes first, so that none stays without its picture."""
    return thumbnail_key(storage_key), storage_key
