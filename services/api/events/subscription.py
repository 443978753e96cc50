"""The bounded buffer between the feed of events and one event stream."""

import asyncio
from collections import deque
from collections.abc import Hashable
from uuid import UUID

from services.api.events.event_types import PARTIAL, PROGRESS
from services.api.events.messages import Message
from services.api.events.repository import EventRecord
from services.api.events.subject import Subject
from shared.ids import IdKind
from shared.partial_pictures import PartialPicture, Partials, watch_key

MOST_EVENTS = 128
"""Events that wait for a slow reader; with more, they are read from the database later."""
MOST_EPHEMERAL = 32
"""Jobs whose latest progress, and candidates whose latest partial picture, wait for a slow reader."""


class Subscription:
    """What waits to be sent to one client: durable events in order, and the latest of what is ephemeral."""

    def __init__(self, subject: Subject, types: frozenset[str], partials: Partials | None = None) -> None:
        """partials: how many partial pictures are wanted, if the types include them."""
        self.subject = subject
        self.types = types
        self.partials = partials if PARTIAL in types else None
        self._events: deque[Message] = deque()
        self._latest: dict[tuple[UUID, Hashable], bytes] = {}
        self._changed = asyncio.Event()
        self._missed = False
        self.ending: str | None = None
        """Why the stream has to end; None while it may go on."""

    @property
    def wants_progress(self) -> bool:
        """Whether progress is sent."""
        return PROGRESS in self.types

    @property
    def watch_key(self) -> str | None:
        """The key that lets workers make the partial pictures; None if none are wanted."""
        if self.partials is None:
            return None
        if self.subject.job_id is None:
            return watch_key(self.partials, IdKind.PROJECT, self.subject.project_id)
        return watch_key(self.partials, IdKind.JOB, self.subject.job_id)

    def offer(self, record: EventRecord, message: Message) -> None:
        """Add a durable event if the stream is about it. A full buffer is emptied: see `take_missed`."""
        if not self.subject.is_about(record):
            return
        for key in [key for key in self._latest if key[0] == message.position.job_id]:
            del self._latest[key]
        if len(self._events) == MOST_EVENTS:
            self._events.clear()
            self._missed = True
        if not self._missed:
            self._events.append(message)
        self._changed.set()

    def wants(self, partial: PartialPicture, session_id: UUID | None) -> bool:
        """Whether the stream shows a partial picture. session_id: the session of its job."""
        return (self.partials is Partials.ALL or (self.partials is not None and partial.is_among_few)) and (
            self.subject.has(partial.project_id, session_id, partial.job_id)
        )

    def offer_partial(self, partial: PartialPicture, text: bytes) -> None:
        """Replace the partial picture of a candidate that was not sent yet. text: its message."""
        self.offer_latest(partial.job_id, partial.index, text)

    def offer_latest(self, job_id: UUID, kind: Hashable, text: bytes) -> None:
        """Replace the progress of a job, or the partial picture of a candidate, that was not sent yet."""
        key = (job_id, kind)
        self._latest.pop(key, None)
        if len(self._latest) == MOST_EPHEMERAL:
            del self._latest[next(iter(self._latest))]
        self._latest[key] = text
        self._changed.set()

    def end(self, reason: str) -> None:
        """Ask the stream to end; the client opens it again and goes on."""
        self.ending = reason
        self._changed.set()

    async def wait(self, seconds: float) -> bool:
        """Wait until something can be taken, at most so long. Returns whether there is something."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def take_missed(self) -> bool:
        """Whether events were dropped since the last call; the stream has to read them from the database."""
        missed, self._missed = self._missed, False
        return missed

    def take(self) -> tuple[list[Message], list[bytes]]:
        """Remove and return the waiting events, and what is ephemeral."""
        self._changed.clear()
        events, latest = list(self._events), list(self._latest.values())
        self._events.clear()
        self._latest.clear()
        return events, latest
