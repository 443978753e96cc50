"""Progress and wake-ups through the Redis protocol's pub/sub: hints that may be lost.

A listener that hears nothing reads PostgreSQL every few seconds; a publisher that cannot publish goes on.
"""

import json
import logging
from collections.abc import AsyncGenerator, Mapping
from queue import SimpleQueue
from threading import Thread
from typing import Any
from uuid import UUID

import redis
import redis.asyncio

from shared.ids import IdKind, format_id

logger = logging.getLogger(__name__)

SOCKET_SECONDS = 2.0
MOST_WAITING = 100
"""Hints that may wait for a slow server; later ones are dropped, for old ones soon say the same."""


def job_channel(job_id: UUID) -> str:
    """The channel of one job."""
    return f"luminary:{format_id(IdKind.JOB, job_id)}"


class EventPublisher:
    """The workers' end. A thread of its own publishes, so that a server without an answer holds no job up."""

    def __init__(self, redis_url: str) -> None:
        self._client = redis.Redis.from_url(
            redis_url, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS
        )
        self._waiting: SimpleQueue[tuple[UUID, str] | None] = SimpleQueue()
        self._abandoned = False
        self._thread = Thread(target=self._serve, name="events", daemon=True)
        self._thread.start()

    def publish(self, job_id: UUID, event: Mapping[str, Any]) -> bool:
        """Tell whoever listens to the job, soon; False when too much waits and the hint is dropped."""
        if self._waiting.qsize() >= MOST_WAITING:
            return False
        self._waiting.put((job_id, json.dumps(dict(event))))
        return True

    def close(self) -> None:
        """Publish what waits, unless the server is slow, and close the connections."""
        self._waiting.put(None)
        self._thread.join(SOCKET_SECONDS)
        self._abandoned = True

    def _serve(self) -> None:
        while (hint := self._waiting.get()) is not None and not self._abandoned:
            job_id, event = hint
            try:
                self._client.publish(job_channel(job_id), event)
            except redis.RedisError as error:
                logger.warning(
                    "event not published",
                    extra={"job_id": format_id(IdKind.JOB, job_id), "reason": str(error)},
                )
        self._client.close()


class EventSubscriber:
    """The gateway's end."""

    def __init__(self, redis_url: str) -> None:
        self._client = redis.asyncio.Redis.from_url(redis_url, socket_connect_timeout=SOCKET_SECONDS)

    async def listen(self, job_id: UUID, quiet_seconds: float) -> AsyncGenerator[Mapping[str, Any] | None]:
        """Yield the job's events for ever, and None whenever nothing came for `quiet_seconds`.

        The first None comes as soon as the subscription stands: what is read from PostgreSQL after it misses
        nothing. Raises redis.RedisError when the connection fails; the caller then polls.
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

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
