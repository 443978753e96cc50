"""Delete files of pictures between two transactions, so that none is open while the object storage is called.

The first claims the pictures: from then on nothing keeps their files. The caller deletes the objects. The
second marks or deletes the rows. If a process dies in between, another one takes over after REMOVAL_SECONDS;
deleting an object twice does no harm, because no picture ever gets a key that was in use before.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, null, select, update
from sqlalchemy.orm import Session

from shared.job_store.clock import database_time, time_after
from shared.job_store.retention import Kept, open_inputs, too_old
from shared.picture_objects import lone_keys
from shared.settings import RetentionSettings
from shared.tables import Image, ImageOrigin, PictureRestore, Project

REMOVAL_SECONDS = 120.0
"""Time in which a process deletes the objects that it has claimed; the storage may be slow."""
SILENT = {"synchronize_session": False}
KEPT_UNTIL_NOW = and_(Image.deleted_at.is_(None), Image.removing_until.is_(None))


@dataclass(frozen=True)
class Removal:
    """A claimed picture: the keys of its objects, without those that another picture shares."""

    image_id: UUID
    storage_key: str
    keys: tuple[str, ...]
    is_drawn: bool = False
    """Whether a job drew the picture, so that its file can be restored."""


def claim_expired(session: Session, retention: RetentionSettings, most: int) -> list[Removal]:
    """Claim up to `most` pictures: left behind by a process that died, expired by date, or too old.

    Pictures that others have locked are skipped, so several io workers share the work.
    """
    left = and_(Image.deleted_at.is_(None), Image.removing_until <= database_time())
    dated = and_(KEPT_UNTIL_NOW, Image.expires_at <= database_time())
    found = list(lock(session, left, most))
    found += lock(session, dated, most - len(found))
    for origin, kept in ((ImageOrigin.UPLOADED, Kept.UPLOADS), (ImageOrigin.GENERATED, Kept.RESULTS)):
        found += lock_too_old(session, origin, kept, retention, most - len(found))
    return begin_removal(session, found)


def lock(session: Session, condition: ColumnElement[bool], most: int) -> Sequence[Image]:
    """Up to `most` pictures that meet the condition and that nobody else has locked."""
    if not most:
        return []
    statement = select(Image).where(condition).limit(most).with_for_update(skip_locked=True)
    return session.scalars(statement).all()


def lock_too_old(
    session: Session, origin: ImageOrigin, kept: Kept, retention: RetentionSettings, most: int
) -> Sequence[Image]:
    """Up to `most` pictures past their project's retention, without those that a waiting job needs.

    A picture with a date of its own expires by that date alone.
    """
    if not most:
        return []
    statement = (
        select(Image)
        .join(Project, Project.id == Image.project_id)
        .where(
            KEPT_UNTIL_NOW,
            Image.origin == origin.value,
            Image.expires_at.is_(None),
            too_old(Image.created_at, kept, retention),
        )
        .limit(most)
        .with_for_update(of=Image, skip_locked=True)
    )
    found = session.scalars(statement).all()
    if not found:
        return []
    needed = open_inputs(session)
    if needed.isdisjoint(image.id for image in found):
        return found
    return session.scalars(statement.where(Image.id.not_in(needed))).all()


def begin_removal(session: Session, images: Sequence[Image]) -> list[Removal]:
    """Claim these pictures, whose rows are locked: nothing keeps their files from now on."""
    kept_so_far = [image.id for image in images if image.removing_until is None]
    restores = delete(PictureRestore).where(PictureRestore.image_id.in_(kept_so_far))
    session.execute(restores, execution_options=SILENT)
    session.execute(
        update(Image)
        .where(Image.id.in_([image.id for image in images]))
        .values(removing_until=time_after(REMOVAL_SECONDS)),
        execution_options=SILENT,
    )
    return [
        Removal(
            image.id,
            image.storage_key,
            tuple(lone_keys(session, [image])),
            is_drawn=image.origin == ImageOrigin.GENERATED,
        )
        for image in images
    ]


def keep_text(session: Session, removal: Removal, png_text: bytes) -> None:
    """Keep the text chunks of a picture whose file is about to be deleted."""
    session.execute(
        update(Image).where(Image.id == removal.image_id).values(png_text=png_text), execution_options=SILENT
    )


def mark_removed(session: Session, removal: Removal) -> None:
    """Record that the objects are deleted; without effect if another process has done so."""
    session.execute(
        update(Image)
        .where(
            Image.id == removal.image_id,
            Image.storage_key == removal.storage_key,
            Image.removing_until.is_not(None),
        )
        .values(deleted_at=database_time(), removing_until=null(), thumbnail_at=null(), lost_at=null()),
        execution_options=SILENT,
    )


def is_kept(ids: Collection[UUID]) -> ColumnElement[bool]:
    """Condition: one of these pictures, whose file nobody deletes."""
    return and_(Image.id.in_(ids), Image.deleted_at.is_(None), Image.removing_until.is_(None))
