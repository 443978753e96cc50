"""Pictures with rows and objects, without a gateway or a worker."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from shared.database import Database
from shared.storage import ObjectStorage, upload_folder
from shared.tables import Image, ImageOrigin

DAY = 86_400


def store(
    database: Database,
    storage: ObjectStorage,
    project_id: UUID,
    *,
    age: float = 0.0,
    origin: ImageOrigin = ImageOrigin.UPLOADED,
    **more: Any,
) -> UUID:
    """Store a picture of this age in seconds; its id."""
    stored = storage.put_image(upload_folder(project_id), b"a picture", "image/png")
    with database.transaction() as session:
        image = Image(
            project_id=project_id,
            origin=origin.value,
            media_type="image/png",
            storage_key=stored.key,
            sha256=stored.sha256,
            byte_size=stored.byte_size,
            width=1,
            height=1,
            created_at=func.clock_timestamp() - timedelta(seconds=age),
            **more,
        )
        session.add(image)
        session.flush()
        return image.id


def find(database: Database, image_id: UUID) -> Image:
    """The picture's row."""
    with database.transaction() as session:
        return session.get_one(Image, image_id)


def expired(database: Database) -> set[UUID]:
    """The pictures whose rows are marked as deleted."""
    with database.transaction() as session:
        return set(session.scalars(select(Image.id).where(Image.deleted_at.is_not(None))))
