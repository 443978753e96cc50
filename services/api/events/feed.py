"""One reader of new events for all streams of this process.

It reads the database after each hint of the Redis-protocol server and every POLL_SECONDS, and offers what is
new to the subscriptions. A stream first reads the past itself; both overlap, and the stream skips what it has
sent already.

Nothing is lost between the past and the present: a batch is offered to all subscriptions, unless one was
entered meanwhile for a project that was not read; then it is read again. A subscription that is entered after
a batch was offered reads the past up to a higher watermark than that of the batch.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import ColumnElement

from services.api.events.hints import keep_watching, pass_on_hints
from services.api.events.messages import Message, message_of, partial_message, progress_message
from services.api.events.open_streams import OpenStreams
from services.api.events.position import Position, before
from services.api.events.repository import (
    EventRecord,
    Marks,
    read_active_jobs,
    read_batch,
    read_marks,
)
from services.api.events.subject import Subject
from services.api.process.acting import Purpose, as_platform
from services.api.process.background_tasks import end_tasks
from services.api.process.gateway import Gateway
from shared.async_database import DATABASE_FAULTS
from shared.events import PROGRESS, Hint
from shared.partial_pictures import PartialPicture
from shared.tables import JobEventRow

if TYPE_CHECKING:
    from datetime import datetime

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""Interval of reading while no hint arrives."""
UNSETTLED_SECONDS = 0.02
"""First interval of reading while an event waits for an earlier transaction to end; later ones grow."""
LONGEST_UNSETTLED_SECONDS = 0.25
PROGRESS_SECONDS = 0.25
"""Progress is read and sent at most four times a second."""
PAGE = 500
REPLAYS_AT_A_TIME = 4
"""Streams that read the past at the same time, so that they leave connections to other requests."""
LEAVING = "the gateway stops: open the stream again"
FAILED = "an error in the gateway: open the stream again"
RESTORED = "the database was replaced: open the stream again"


@dataclass(frozen=True)
class Page:
    """Some of the past."""

    messages: list[Message]
    end: Position
    """The place that the page reaches to."""
    is_last: bool
    """Whether nothing is left."""


class Feed:
    """The subscriptions of this process, and the reading of what is new for them."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        settings = gateway.settings.gateway
        self._public_url = settings.public_url
        self.watch_changed = asyncio.Event()
        """Set when `watch_keys` may have a new key."""
        self.streams = OpenStreams(
            settings, gateway.metrics, on_entered=self.watch_changed.set, on_empty=self._forget_position
        )
        self._position: Position | None = None
        """Everything before it was offered; None while there is no subscription, or none has started."""
        self._history = ""
        self._woken = asyncio.Event()
        self._events_are_due = True
        self._progress_is_due = False
        self._progress_read = 0.0
        self._unsettled_pause = UNSETTLED_SECONDS
        self._progress_seen: dict[UUID, datetime | None] = {}
        self._sessions: dict[UUID, UUID | None] = {}
        """The sessions of running jobs."""
        self._replays = asyncio.Semaphore(REPLAYS_AT_A_TIME)

    async def start(self) -> None:
        """Call it after entering and before the first replay: sets the place where offering begins.

        Raises database errors.
        """
        if self._position is None:
            async with self._gateway.database.transaction() as session:
                marks = await session.run_sync(read_marks)
            if self._position is None:
                self._note(marks)
                self._position = before(marks.settled)
                self.wake(progress=False)

    async def replay(self, subject: Subject, after: Position) -> Page:
        """The next page of the past. Raises database errors."""
        async with self._replays, self._gateway.database.transaction() as session:
            batch = await session.run_sync(read_batch, subject.condition(), after, PAGE)
        messages = self._messages(batch.records)
        if batch.is_full:
            return Page(messages, batch.records[-1].position, is_last=False)
        return Page(messages, max(after, before(batch.marks.settled)), is_last=True)

    def wake(self, *, progress: bool) -> None:
        """Read soon: an event was committed, or (progress) a running job has made progress."""
        if progress and self._progress_is_due:
            return
        if progress:
            self._progress_is_due = True
        else:
            self._events_are_due = True
        self._woken.set()

    def hear(self, message: Hint | PartialPicture | None) -> None:
        """Take a message of the Redis-protocol server; None says that hints may have been missed."""
        match message:
            case None:
                self.wake(progress=False)
                self.wake(progress=True)
            case PartialPicture():
                self._offer_partial(message)
            case Hint() if message.project_id is None or message.project_id in self.streams:
                self.wake(progress=message.type == PROGRESS)
            case Hint():
                pass

    def watch_keys(self) -> frozenset[str]:
        """The keys that let workers make the partial pictures that the streams want."""
        keys = (subscription.watch_key for subscription in self.streams.all())
        return frozenset(key for key in keys if key is not None)

    def _offer_partial(self, partial: PartialPicture) -> None:
        session_id = self._sessions.get(partial.job_id)
        subscriptions = self.streams.of(partial.project_id)
        wanting = [one for one in subscriptions if one.wants(partial, session_id)]
        if wanting:
            text = partial_message(partial, session_id)
            for subscription in wanting:
                subscription.offer_partial(partial, text)

    def leave(self) -> None:
        """End every stream and accept no further one, because the process stops."""
        self.streams.leave(LEAVING)

    async def run(self) -> None:
        """Read and offer, without end."""
        while True:
            pause = POLL_SECONDS
            try:
                if self._position is not None:
                    pause = await self._round()
            except DATABASE_FAULTS:
                pass  # AsyncDatabase logs the outage; the next round is in POLL_SECONDS
            except Exception:
                logger.exception("reading events failed; all event streams end")
                self.streams.end_all(FAILED)
            await self._wait(pause)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            self._events_are_due = True
        self._woken.clear()

    async def _round(self) -> float:
        """Read and offer what is new. Returns the seconds until the next round without a hint."""
        pause = POLL_SECONDS
        if self._events_are_due:
            self._events_are_due = False
            pause = self._pause(unsettled=await self._read_events())
        since = time.monotonic() - self._progress_read
        if since >= POLL_SECONDS or (self._progress_is_due and since >= PROGRESS_SECONDS):
            await self._read_progress()
        elif self._progress_is_due:
            pause = min(pause, PROGRESS_SECONDS - since)
        return pause

    async def _read_events(self) -> bool:
        """Offer everything below the watermark. Returns whether events wait above it."""
        is_full, has_unsettled = True, False
        while is_full and (position := self._position) is not None:
            projects = frozenset(self.streams.projects)
            async with as_platform(Purpose.EVENTS), self._gateway.database.transaction() as session:
                batch = await session.run_sync(read_batch, in_projects(projects), position, PAGE)
            # the numbers go back when the database was restored to an earlier time
            is_back = position == self._position and before(batch.marks.settled) < position
            self._note(batch.marks, is_back=is_back)
            if not projects.issuperset(self.streams.projects):
                continue  # a project has come meanwhile, whose events this batch may lack
            self._offer(batch.records)
            is_full, has_unsettled = batch.is_full, batch.has_unsettled
            self._advance(position, batch.records[-1].position if is_full else before(batch.marks.settled))
        return has_unsettled

    def _pause(self, *, unsettled: bool) -> float:
        pause = self._unsettled_pause if unsettled else POLL_SECONDS
        self._unsettled_pause = (
            min(LONGEST_UNSETTLED_SECONDS, 1.5 * pause) if unsettled else UNSETTLED_SECONDS
        )
        return pause

    def _advance(self, since: Position, to: Position) -> None:
        """Move the position, unless all subscriptions have left, or new ones have set it, in the meantime."""
        if self._position == since:
            self._position = max(since, to)

    async def _read_progress(self) -> None:
        self._progress_is_due, self._progress_read = False, time.monotonic()
        projects = self.streams.projects_where(lambda one: one.wants_progress or one.partials)
        if not projects:
            return
        async with as_platform(Purpose.EVENTS), self._gateway.database.transaction() as session:
            active = await session.run_sync(read_active_jobs, projects)
        seen = self._progress_seen
        self._progress_seen = {found.job.id: found.job.progress_at for found in active}
        self._sessions = {found.job.id: found.session_id for found in active}
        for found in active:
            if found.job.progress_at is None or seen.get(found.job.id) == found.job.progress_at:
                continue
            text = progress_message(found)
            for subscription in self.streams.of(found.job.project_id):
                if subscription.wants_progress and subscription.subject.has(
                    found.job.project_id, found.session_id, found.job.id
                ):
                    subscription.offer_latest(found.job.id, "progress", text)

    def _offer(self, records: Sequence[EventRecord]) -> None:
        for record, message in zip(records, self._messages(records), strict=True):
            for subscription in self.streams.of(record.project_id):
                subscription.offer(record, message)

    def _messages(self, records: Sequence[EventRecord]) -> list[Message]:
        return [message_of(record, self._history, self._public_url) for record in records]

    def _note(self, marks: Marks, *, is_back: bool = False) -> None:
        """Remember the database's history. If the database was replaced, end all streams."""
        if is_back or self._history not in {"", marks.history}:
            self.streams.end_all(RESTORED)
            self._position = None
        self._history = marks.history

    def _forget_position(self) -> None:
        self._position = None


def in_projects(project_ids: Collection[UUID]) -> ColumnElement[bool]:
    """The events of these projects."""
    return JobEventRow.project_id.in_(project_ids)


@asynccontextmanager
async def open_feed(gateway: Gateway) -> AsyncGenerator[Feed]:
    """The feed of a process, which reads as long as the block runs."""
    feed = Feed(gateway)
    tasks = [asyncio.create_task(feed.run(), name="event feed")]
    if gateway.subscriber is not None:
        hearing = pass_on_hints(gateway.subscriber, feed.hear)
        watching = keep_watching(gateway.subscriber, feed.watch_keys, feed.watch_changed)
        tasks += [asyncio.create_task(hearing, name="event hints"), asyncio.create_task(watching)]
    try:
        yield feed
    finally:
        feed.leave()
        await end_tasks(tasks)
