"""What io workers search for in steps: old thumbnails, old events, and what bucket and database do not share.

No transaction is open while the object storage is called. A step is done by one io worker at a time; see
`shared.job_store.searches`.
"""

import logging
from collections.abc import Callable
from typing import Protocol

from sqlalchemy import null, select, update

from shared.database import Database
from shared.job_store.old_events import delete_old_events, projects_with_old_events
from shared.job_store.retention import Kept, too_old
from shared.job_store.searches import SearchName, end_step, take_step
from shared.job_store.storage_search import Page, compare, mark_lost
from shared.settings import FOR_EVER, RetentionSettings
from shared.storage import ListedObject, thumbnail_key
from shared.tables import Image, Project

logger = logging.getLogger(__name__)

STEP_SECONDS = 600.0
"""Time after which another io worker takes a step over."""
PAUSE_SECONDS = 60.0
"""Pause after all old thumbnails or events are deleted."""
STORAGE_PAUSE_SECONDS = 3600.0
"""Pause after a whole search of the bucket."""
THUMBNAILS, EVENTS, OBJECTS = 100, 1000, 1000
"""Rows or objects of one step or transaction."""


class Bucket(Protocol):
    """The part of the object storage that is searched; see `ObjectStorage`."""

    def delete(self, key: str) -> None: ...

    def exists(self, key: str) -> bool: ...

    def list_pictures(self, after: str, most: int) -> list[ListedObject]: ...


class Searches:
    """Each method does one step, if it is due and no other io worker does it."""

    def __init__(self, database: Database, storage: Bucket, retention: RetentionSettings) -> None:
        self._database = database
        self._storage = storage
        self._retention = retention

    def do_all(self) -> None:
        """One step of every search. Raises database errors and StorageError."""
        self.remove_events()
        self.remove_thumbnails()
        self.compare_storage()

    def remove_events(self) -> None:
        """Delete events past their retention, of all projects."""
        self._step(SearchName.EVENTS, self._remove_events, PAUSE_SECONDS)

    def remove_thumbnails(self) -> None:
        """Delete some thumbnails past their retention."""
        self._step(SearchName.PREVIEWS, self._remove_thumbnails, PAUSE_SECONDS)

    def compare_storage(self) -> None:
        """Delete objects without a row, and mark rows without an object, in one page of the listing."""
        if self._retention.orphans_seconds != FOR_EVER:
            self._step(SearchName.STORAGE, self._compare_page, STORAGE_PAUSE_SECONDS)

    def _step(self, name: SearchName, do: Callable[[str], str], pause_seconds: float) -> None:
        """Do one step if it is due. do: gets the position, returns the next one, empty at the end."""
        with self._database.transaction() as session:
            step = take_step(session, name, STEP_SECONDS)
        if step is None:
            return
        position = do(step.position)
        with self._database.transaction() as session:
            end_step(session, step, position, 0.0 if position else pause_seconds)

    def _remove_events(self, _: str) -> str:
        with self._database.transaction() as session:
            projects = projects_with_old_events(session, self._retention)
        for project in projects:
            place = None
            while True:
                with self._database.transaction() as session:
                    place = delete_old_events(session, project, place, EVENTS)
                if place is None:
                    break
        return ""

    def _remove_thumbnails(self, _: str) -> str:
        statement = (
            select(Image.id, Image.storage_key, Image.thumbnail_at)
            .join(Project, Project.id == Image.project_id)
            .where(
                Image.deleted_at.is_(None),
                Image.removing_until.is_(None),
                too_old(Image.thumbnail_at, Kept.PREVIEWS, self._retention),
            )
            .limit(THUMBNAILS)
        )
        with self._database.transaction() as session:
            old = session.execute(statement).all()
        for image_id, storage_key, thumbnail_at in old:
            self._storage.delete(thumbnail_key(storage_key))
            with self._database.transaction() as session:
                session.execute(
                    update(Image)
                    .where(Image.id == image_id, Image.thumbnail_at == thumbnail_at)
                    .values(thumbnail_at=null())
                    .execution_options(synchronize_session=False)
                )
        return "more" if len(old) == THUMBNAILS else ""

    def _compare_page(self, position: str) -> str:
        listed = self._storage.list_pictures(position, OBJECTS)
        last = listed[-1].key if len(listed) == OBJECTS else None
        with self._database.transaction() as session:
            found = compare(session, Page(listed, position, last), self._retention.orphans_seconds)
        for key in found.orphans:
            self._storage.delete(key)
        lost = [key for key in found.missing if not self._storage.exists(key)]
        for key in lost:
            with self._database.transaction() as session:
                mark_lost(session, key, restore=len(lost) < len(listed))
        if found.orphans or lost:
            logger.warning(
                "the bucket and the database differed",
                extra={"objects_deleted": len(found.orphans), "pictures_lost": len(lost)},
            )
        return last or ""
