"""Count requests of projects per minute over all gateways, in the Redis-protocol server.

A sliding window of two counters: that of this minute, and the part of the last minute's that is less than a
minute ago. Without a server, or while it does not answer, each gateway counts for itself: an outage refuses
nobody, and a log line tells of it.
"""

import asyncio
import logging
import math
import time
from collections import defaultdict
from dataclasses import dataclass
from uuid import UUID

import redis
import redis.asyncio

from shared.error_words import words_of
from shared.outages import Outage

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60
ANSWER_SECONDS = 1.0
"""Longest wait for the server; each request waits for it."""
REST_SECONDS = 10.0
"""A server that does not answer is not asked again for this time."""


@dataclass(frozen=True)
class Standing:
    """How many requests a project has made. elapsed: part of the current minute that has passed."""

    limit: int
    before: int
    now: int
    elapsed: float

    @property
    def used(self) -> float:
        """Requests of the last minute."""
        return self.before * (1 - self.elapsed) + self.now

    @property
    def is_allowed(self) -> bool:
        """Whether the last of these requests is within the limit."""
        return self.used <= self.limit

    @property
    def remaining(self) -> int:
        """Requests that could be made now."""
        return max(0, int(self.limit - self.used))

    @property
    def reset_seconds(self) -> int:
        """Seconds until one more request is allowed, or, if one is, until the current minute is over."""
        if self.remaining:
            return math.ceil(WINDOW_SECONDS * (1 - self.elapsed))
        return max(1, math.ceil(WINDOW_SECONDS * self._until_room()))

    def _until_room(self) -> float:
        """Minutes until the requests of the last minute are one fewer than the limit."""
        if self.now < self.limit:  # in this minute, by those of the last one
            return max(0.0, 1 - (self.limit - 1 - self.now) / max(1, self.before) - self.elapsed)
        return 1 - self.elapsed + max(0.0, 1 - (self.limit - 1) / self.now)


class RequestCounts:
    """The counters of all projects that have a limit."""

    def __init__(self, redis_url: str | None) -> None:
        self._client = None
        if redis_url is not None:
            self._client = redis.asyncio.Redis.from_url(
                redis_url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS
            )
        self._own: defaultdict[UUID, dict[int, int]] = defaultdict(dict)
        self._resting_until = 0.0
        self._outage = Outage(logger, "the server that counts requests (each gateway counts for itself)")

    async def count(self, project_id: UUID, limit: int) -> Standing:
        """Count one request of the project, unless it is refused."""
        minute, elapsed = divmod(time.time() / WINDOW_SECONDS, 1)
        before, now = await self._add(project_id, int(minute))
        standing = Standing(limit, before, now, elapsed)
        if not standing.is_allowed:
            await self._add(project_id, int(minute), -1)
        return standing

    async def _add(self, project_id: UUID, minute: int, count: int = 1) -> tuple[int, int]:
        """Add to the counter of the minute; returns that of the minute before and the new one."""
        started = time.monotonic()
        if self._client is not None and started >= self._resting_until:
            try:
                async with asyncio.timeout(ANSWER_SECONDS), self._client.pipeline() as pipeline:
                    pipeline.get(key_of(project_id, minute - 1))
                    pipeline.incrby(key_of(project_id, minute), count)
                    pipeline.expire(key_of(project_id, minute), 2 * WINDOW_SECONDS)
                    before, now, _ = await pipeline.execute()
            except (redis.RedisError, OSError, TimeoutError) as error:
                self._outage.failed(words_of(error), started)
                self._resting_until = started + REST_SECONDS
            else:
                self._outage.answered()
                return int(before or 0), int(now)
        own = self._own[project_id]
        self._own[project_id] = {past: own[past] for past in own if past >= minute - 1}
        self._own[project_id][minute] = own.get(minute, 0) + count
        return own.get(minute - 1, 0), self._own[project_id][minute]

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()


def key_of(project_id: UUID, minute: int) -> str:
    """Name of the counter of a project and a minute."""
    return f"luminary:requests:{project_id}:{minute}"
