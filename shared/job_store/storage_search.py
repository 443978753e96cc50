"""Compare a page of the bucket's listing with the rows of pictures: which object and which row stands alone.

A row without its object is only marked (`lost_at`), and the mark goes when the object appears again: a wrong
bucket or prefix in the settings must destroy nothing.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, delete, null, or_, select, update
from sqlalchemy.orm import Session

from shared.ids import ALPHABET, IdKind, parse_id
from shared.job_store.clock import database_time, time_after
from shared.job_store.restore import request_restore, restorable_images
from shared.jobs import FINAL_STATES
from shared.storage import EXTENSIONS, ListedObject, thumbnail_key
from shared.tables import Image, ImageOrigin, Job, PictureRestore, Project, UndecodedPicture

ID = rf"[0-7][{ALPHABET}]{{25}}"
PICTURE_KEY = re.compile(rf"(prj_{ID})/(?:uploads|restored|(job_{ID}))/.+")
"""The keys that this platform gives out; other objects in the bucket are never touched."""
THUMBNAIL_END = ".thumbnail.webp"
SILENT = {"synchronize_session": False}


@dataclass(frozen=True)
class Page:
    """A part of the listing: the objects whose keys follow `after`, up to `last`; None means to the end."""

    objects: Sequence[ListedObject]
    after: str
    last: str | None

    @property
    def keys(self) -> set[str]:
        """The keys of the objects."""
        return {listed.key for listed in self.objects}


@dataclass(frozen=True)
class Differences:
    """Keys of objects without a row, and keys of rows that the listing does not contain."""

    orphans: list[str]
    missing: list[str]


def compare(session: Session, page: Page, age_seconds: float) -> Differences:
    """What stands alone and is older than `age_seconds`. Marks of what has appeared again are removed."""
    keys = page.keys
    rows = session.scalars(
        select(Image).where(Image.storage_key.in_(picture_keys(keys)), Image.deleted_at.is_(None))
    ).all()
    found_again = [image.id for image in rows if image.lost_at is not None and image.storage_key in keys]
    set_on(session, found_again, lost_at=null())
    session.execute(
        delete(PictureRestore).where(PictureRestore.image_id.in_(found_again)), execution_options=SILENT
    )
    thumbnails = {thumbnail_key(image.storage_key): image for image in rows}
    unnoted = [image.id for key, image in thumbnails.items() if key in keys and image.thumbnail_at is None]
    set_on(session, unnoted, thumbnail_at=database_time())
    old = session.scalars(select(time_after(-age_seconds))).one()
    known = {image.storage_key for image in rows} | thumbnails.keys()
    alone = [one.key for one in page.objects if one.key not in known and one.modified_at <= old]
    return Differences(that_nobody_needs(session, alone, old), missing(session, page, old))


def picture_keys(keys: Collection[str]) -> set[str]:
    """The keys, and those of the pictures that thumbnails among them may belong to."""
    stems = [key.removesuffix(THUMBNAIL_END) for key in keys if key.endswith(THUMBNAIL_END)]
    return {*keys, *(f"{stem}.{ending}" for stem in stems for ending in (*EXTENSIONS.values(), "bin"))}


def set_on(session: Session, ids: Collection[UUID], **values: object) -> None:
    """Set columns of these pictures."""
    if ids:
        session.execute(update(Image).where(Image.id.in_(ids)).values(**values), execution_options=SILENT)


def that_nobody_needs(session: Session, keys: Sequence[str], old: datetime) -> list[str]:
    """Those of the keys that belong to a project of this database, and to no job that may still need them.

    A job stores its pictures before it commits them, and an interrupted one finds them stored.
    """
    owners = {key: match for key in keys if (match := PICTURE_KEY.fullmatch(key))}
    project_ids = {match[1]: parse_id(IdKind.PROJECT, match[1]) for match in owners.values()}
    job_ids = {match[2]: parse_id(IdKind.JOB, match[2]) for match in owners.values() if match[2]}
    projects = set(session.scalars(select(Project.id).where(Project.id.in_(project_ids.values()))))
    restores = set(
        session.scalars(
            select(PictureRestore.folder).where(
                PictureRestore.folder.in_([key.rpartition("/")[0] for key in owners])
            )
        )
    )
    undecoded = select(UndecodedPicture.job_id).where(UndecodedPicture.job_id == Job.id).exists()
    unended = or_(Job.state.not_in(sorted(FINAL_STATES)), Job.finished_at > old, undecoded)
    busy = set(session.scalars(select(Job.id).where(Job.id.in_(job_ids.values()), unended)))
    return [
        key
        for key, match in owners.items()
        if project_ids[match[1]] in projects
        and not (match[2] and job_ids[match[2]] in busy)
        and key.rpartition("/")[0] not in restores
    ]


def missing(session: Session, page: Page, old: datetime) -> list[str]:
    """Keys of pictures between the ends of the page that it does not contain."""
    within = Image.storage_key > page.after
    if page.last is not None:
        within = and_(within, Image.storage_key <= page.last)
    statement = select(Image.storage_key).where(
        within,
        Image.storage_key.not_in(page.keys),
        Image.deleted_at.is_(None),
        Image.removing_until.is_(None),
        Image.lost_at.is_(None),
        or_(Image.expires_at.is_(None), Image.origin == ImageOrigin.GENERATED.value),
        Image.created_at <= old,
    )
    return list(session.scalars(statement))


def mark_lost(session: Session, storage_key: str, *, restore: bool) -> None:
    """Note that the picture's object is missing. restore: decode it again, if it can be restored."""
    kept = (Image.storage_key == storage_key, Image.deleted_at.is_(None), Image.removing_until.is_(None))
    lost = update(Image).where(*kept).values(lost_at=database_time()).returning(Image)
    images = session.scalars(lost, execution_options=SILENT | {"populate_existing": True}).all()
    restorable = restorable_images(session, [image.id for image in images]) if restore else set[UUID]()
    for image in images:
        if image.id in restorable:
            request_restore(session, image)
