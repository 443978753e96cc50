"""Hints that jobs have changed, and partial pictures, over one connection for the whole process."""

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import aclosing, suppress

import redis

from services.api.http.prefer_wait import outage
from shared.error_words import words_of
from shared.events import EventSubscriber, Hint
from shared.partial_pictures import WATCH_SECONDS, PartialPicture

Message = Hint | PartialPicture | None
QUIET_SECONDS = 5.0
"""Silence after which the server has to answer a ping."""
AGAIN_SECONDS = 1.0
"""Pause before the next try to connect; the feed reads the database meanwhile."""


async def pass_on_hints(subscriber: EventSubscriber, hear: Callable[[Message], None]) -> None:
    """Call `hear` with each hint and partial picture, and with None after each connection, without end."""
    while True:
        started = time.monotonic()
        try:
            async with aclosing(subscriber.listen_to_all(QUIET_SECONDS)) as hints:
                async for hint in hints:
                    outage.answered()
                    hear(hint)
        except (redis.RedisError, OSError) as error:
            outage.failed(words_of(error), started)
        await asyncio.sleep(AGAIN_SECONDS)


async def keep_watching(
    subscriber: EventSubscriber, keys: Callable[[], Collection[str]], changed: asyncio.Event
) -> None:
    """Tell workers, without end, which jobs' partial pictures are wanted. changed: there may be a new key."""
    while True:
        changed.clear()
        started = time.monotonic()
        try:
            if wanted := keys():
                await subscriber.watch(wanted)
        except (redis.RedisError, OSError) as error:
            outage.failed(words_of(error), started)
        with suppress(TimeoutError):
            async with asyncio.timeout(WATCH_SECONDS / 3):
                await changed.wait()
