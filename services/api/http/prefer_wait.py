"""`Prefer: wait=N`: answer when the job has ended, after N seconds at the latest. Source: RFC 7240, 4.3."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from uuid import UUID

import redis

from shared.error_words import words_of
from shared.events import EventSubscriber
from shared.outages import Outage

outage = Outage(logging.getLogger(__name__), "the server for progress events")
"""While it is unreachable, waiting requests poll the database."""

LONGEST_WAIT_SECONDS = 60.0
"""Longest wait; proxies close connections that are silent for much longer."""
POLL_SECONDS = 1.0
"""Interval of polling while no event arrives."""
WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,6})\"?", re.IGNORECASE)


def preferred_wait(prefer: str | None) -> float | None:
    """Seconds to wait, at most LONGEST_WAIT_SECONDS; None without `wait`. Other preferences are ignored."""
    for preference in (prefer or "").split(","):
        match = WAIT.fullmatch(preference.split(";")[0].strip())
        if match is not None:
            return min(float(match[1]), LONGEST_WAIT_SECONDS)
    return None


async def job_hints(subscriber: EventSubscriber | None, job_id: UUID) -> AsyncGenerator[None]:
    """Yield whenever the job should be read: at once, on each of its events, and every POLL_SECONDS."""
    if subscriber is not None:
        started = time.monotonic()
        try:
            async with aclosing(subscriber.listen(job_id, POLL_SECONDS)) as events:
                async for _ in events:
                    outage.answered()
                    yield
        except redis.RedisError as error:
            outage.failed(words_of(error), started)
    while True:
        yield
        await asyncio.sleep(POLL_SECONDS)


async def wait_until(
    is_done: Callable[[], Awaitable[bool]], hints: AsyncGenerator[None], seconds: float
) -> None:
    """Call `is_done` after each hint; return when it is true, or after `seconds`."""
    ends = asyncio.get_running_loop().time() + seconds
    try:
        async with asyncio.timeout(seconds), aclosing(hints):
            async for _ in hints:
                # the timeout cancels only once, and a library can lose that: see `background_tasks`
                if await is_done() or asyncio.get_running_loop().time() >= ends:
                    return
    except TimeoutError:
        return
