"""`Prefer: wait=N`: hold the answer until the job has ended or the time is over. Source: RFC 7240, 4.3."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from uuid import UUID

import redis

from shared.events import EventSubscriber

logger = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS = 60.0
"""Proxies end a silent connection soon after."""
POLL_SECONDS = 1.0
"""How often to look when no event tells of a change."""
WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,6})\"?", re.IGNORECASE)


def preferred_wait(prefer: str | None) -> float | None:
    """Seconds to wait, at most a minute, or None. Other preferences are ignored (section 2)."""
    for preference in (prefer or "").split(","):
        match = WAIT.fullmatch(preference.split(";")[0].strip())
        if match is not None:
            return min(float(match[1]), LONGEST_WAIT_SECONDS)
    return None


async def job_hints(subscriber: EventSubscriber | None, job_id: UUID) -> AsyncGenerator[None]:
    """Yield for ever, whenever it is worth looking at the job: at once, on its events, and every second."""
    if subscriber is not None:
        try:
            async with aclosing(subscriber.listen(job_id, POLL_SECONDS)) as events:
                async for _ in events:
                    yield
        except redis.RedisError as error:
            logger.warning("waiting without events", extra={"reason": str(error)})
    while True:
        yield
        await asyncio.sleep(POLL_SECONDS)


async def wait_until(
    is_done: Callable[[], Awaitable[bool]], hints: AsyncGenerator[None], seconds: float
) -> None:
    """Return when `is_done` is true after a hint, or when the time is over."""
    try:
        async with asyncio.timeout(seconds), aclosing(hints):
            async for _ in hints:
                if await is_done():
                    return
    except TimeoutError:
        return
