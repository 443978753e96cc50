"""Progress and wake-ups through the Redis protocol's pub/sub: hints that may be lost.

A listener that hears nothing reads PostgreSQL every few seconds; a publisher that cannot publish goes on.
"""

import json
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Any
from uuid import UUID

import redis
import redis.asyncio

from shared.ids import IdKind, format_id

logger = logging.getLogger(__name__)

SOCKET_SECONDS = 2.0


def job_channel(job_id: UUID) -> str:
    """The channel of one job."""
    return f"luminary:{format_id(IdKind.JOB, job_id)}"


class EventPublisher:
    """The workers' end."""

    def __init__(self, redis_url: str) -> None:
        self._client = redis.Redis.from_url(
            redis_url, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS
        )

    def publish(self, job_id: UUID, event: Mapping[str, Any]) -> bool:
        """Tell whoever listens to the job; returns whether the server took it."""
        try:
            self._client.publish(job_channel(job_id), json.dumps(dict(event)))
        except redis.RedisError as error:
            logger.warning("event not published", extra={"job_id": str(job_id), "reason": str(error)})
            return False
        return True

    def close(self) -> None:
        """Close the connections."""
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
