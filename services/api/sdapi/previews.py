"""Partial pictures for clients that poll: the latest one of each job whose progress is read repeatedly.

Partial pictures are sent to event streams only. The first poll of a job opens a subscription as an event
stream does, later polls take from it, and it ends when no poll has come for some seconds.
"""

import asyncio
import json
from contextlib import ExitStack, suppress
from uuid import UUID

from services.api.events.event_types import PARTIAL
from services.api.events.feed import Feed
from services.api.events.subject import Subject
from services.api.events.subscription import Subscription
from services.api.problems.codes import Problem
from shared.partial_pictures import Partials

WATCH_SECONDS = 15.0
"""Time without a poll after which a job is no longer watched."""
DATA = b"data: "


class Watched:
    """A job that is polled."""

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.place = ExitStack()
        """Its place among the event streams."""
        self.latest: str | None = None
        self.timer: asyncio.TimerHandle | None = None


class Previews:
    """The watched jobs of this process. Their number is limited as that of event streams."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._watched: dict[UUID, Watched] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def latest(self, project_id: UUID, job_id: UUID) -> str | None:
        """The latest partial picture in base64;
        None before the first one, or if too many jobs are watched."""
        watched = self._watched.get(job_id)
        if watched is None:
            subscription = Subscription(
                Subject(project_id, job_id=job_id), frozenset({PARTIAL}), Partials.ALL
            )
            watched = Watched(subscription)
            with suppress(Problem):
                watched.place.enter_context(self._feed.streams.entered(subscription))
                self._watched[job_id] = watched
        if job_id not in self._watched:
            return None
        for text in watched.subscription.take()[1]:
            watched.latest = picture_in(text)
        if watched.timer is not None:
            watched.timer.cancel()
        watched.timer = asyncio.get_running_loop().call_later(WATCH_SECONDS, self._leave, job_id)
        return watched.latest

    def close(self) -> None:
        """Watch no job any more."""
        for job_id in list(self._watched):
            self._leave(job_id)

    def _leave(self, job_id: UUID) -> None:
        watched = self._watched.pop(job_id)
        if watched.timer is not None:
            watched.timer.cancel()
        watched.place.close()


def picture_in(message: bytes) -> str:
    """The picture in a message of an event stream."""
    [data] = [line for line in message.splitlines() if line.startswith(DATA)]
    return json.loads(data.removeprefix(DATA))["picture"]
