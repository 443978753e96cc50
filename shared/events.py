"""Events of jobs through Redis pub/sub: hints that the job has changed, which may be lost.

Subscribers also poll PostgreSQL every few seconds; publishers ignore a server that does not answer.
"""

import json
import logging
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Any
from uuid import UUID

import redis
import redis.asyncio

from shared.error_words import words_of
from shared.ids import IdKind, format_id
from shared.jobs import JobChange
from shared.outages import Outage
from shared.partial_pictures import EVERY_PARTIAL, WATCH_SECONDS, PartialPicture

logger = logging.getLogger(__name__)

SOCKET_SECONDS = 2.0
MOST_WAITING = 100
"""Events that may wait for a slow server; further ones are dropped, since a subscriber needs only one."""


Publish = Callable[[UUID, Mapping[str, Any]], bool]
"""publish(job_id, event): sends a hint to the job's listeners; see `EventPublisher.publish`."""


PROGRESS = "progress"
PARTIAL = "partial"
PROJECT = "project"
"""Field of an event with the id of the job's project."""
EVERY_JOB = f"luminary:{IdKind.JOB}_*"
"""Pattern of the channels of all jobs."""


def job_channel(job_id: UUID) -> str:
    """Name of the pub/sub channel of a job."""
    return f"luminary:{format_id(IdKind.JOB, job_id)}"


@dataclass(frozen=True)
class Hint:
    """A job has changed, or a running one has made progress."""

    type: str | None
    project_id: UUID | None
    """None if the publisher did not say."""


class EventPublisher:
    """Publishes events from a separate thread, so that a frozen server delays no job."""

    def __init__(self, redis_url: str) -> None:
        self._client = redis.Redis.from_url(
            redis_url, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS
        )
        self._waiting: SimpleQueue[tuple[UUID, str] | None] = SimpleQueue()
        self._abandoned = False
        self._outage = Outage(logger, "the server for progress events")
        self._thread = Thread(target=self._serve, name="events", daemon=True)
        self._thread.start()

    def publish(self, job_id: UUID, event: Mapping[str, Any]) -> bool:
        """Publish an event of the job soon. False if it is dropped because too many are waiting."""
        if self._waiting.qsize() >= MOST_WAITING:
            return False
        self._waiting.put((job_id, json.dumps(dict(event))))
        return True

    def announce(self, changes: Sequence[JobChange]) -> None:
        """Publish changes of jobs soon."""
        for change in changes:
            self.publish(change.job_id, {"type": change.event, PROJECT: str(change.project_id)})

    def close(self) -> None:
        """Publish the waiting events, for at most SOCKET_SECONDS, and close the connections."""
        self._waiting.put(None)
        self._thread.join(SOCKET_SECONDS)
        self._abandoned = True

    def _serve(self) -> None:
        while (hint := self._waiting.get()) is not None and not self._abandoned:
            job_id, event = hint
            started = time.monotonic()
            try:
                self._client.publish(job_channel(job_id), event)
            except redis.RedisError as error:
                self._outage.failed(words_of(error), started)
            else:
                self._outage.answered()
        self._client.close()


class EventSubscriber:
    """Receives events in the gateway."""

    def __init__(self, redis_url: str) -> None:
        self._client = redis.asyncio.Redis.from_url(redis_url, socket_connect_timeout=SOCKET_SECONDS)

    async def listen(self, job_id: UUID, quiet_seconds: float) -> AsyncGenerator[Mapping[str, Any] | None]:
        """Yield the job's events without end, and None whenever none has arrived for `quiet_seconds`.

        The first None comes when the subscription is confirmed: a change after it is not missed, so read the
        job then. Raises redis.RedisError when the connection fails; the caller has to poll then.
        """
        async with self._client.pubsub() as pubsub:
            await pubsub.subscribe(job_channel(job_id))
            confirmation = await pubsub.get_message(timeout=SOCKET_SECONDS)
            if confirmation is None:
                raise redis.TimeoutError("the subscription was not confirmed")
            yield None
            while True:
                message = await pubsub.get_message(timeout=quiet_seconds)
                yield json.loads(message["data"] or "{}") if message else None

    async def listen_to_all(self, quiet_seconds: float) -> AsyncGenerator[Hint | PartialPicture | None]:
        """Yield hints and partial pictures of all jobs, over one connection; the first None as in `listen`.

        After `quiet_seconds` without a message the server has to answer a ping. Raises redis.RedisError when
        the connection fails.
        """
        async with self._client.pubsub() as pubsub:
            await pubsub.psubscribe(EVERY_JOB, EVERY_PARTIAL)
            for _ in range(2):
                if await pubsub.get_message(timeout=SOCKET_SECONDS) is None:
                    raise redis.TimeoutError("the subscription was not confirmed")
            yield None
            while True:
                message = await pubsub.get_message(timeout=quiet_seconds)
                if message is None:
                    await pubsub.ping()
                    message = await pubsub.get_message(timeout=SOCKET_SECONDS)
                if message is None:
                    raise redis.TimeoutError("the subscription does not answer")
                if message["type"] == "pmessage":
                    yield read_message(message["pattern"], message["data"])

    async def watch(self, keys: Collection[str]) -> None:
        """Let workers make partial pictures for WATCH_SECONDS, see `watch_key`. Raises redis.RedisError."""
        async with self._client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.set(key, 1, ex=WATCH_SECONDS)
            await pipeline.execute()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def read_message(pattern: str | bytes | None, data: str | bytes | None) -> Hint | PartialPicture:
    """The content of a message; one that cannot be read says only that something has changed."""
    if pattern == EVERY_PARTIAL.encode():
        try:
            return PartialPicture.model_validate_json(data or b"")
        except ValueError:
            return Hint(PARTIAL, None)
    return read_hint(data)


def read_hint(data: str | bytes | None) -> Hint:
    """The hint of a message; one that cannot be read says only that something has changed."""
    try:
        event = json.loads(data or "{}")
        project = event.get(PROJECT)
        return Hint(event.get("type"), None if project is None else UUID(project))
    except (ValueError, AttributeError, TypeError):
        return Hint(None, None)
