"""Hints at a fixed interval, for `prefer_wait.wait_until` where nothing announces a change."""

import asyncio
from collections.abc import AsyncGenerator

POLL_SECONDS = 0.25


async def polls(seconds: float) -> AsyncGenerator[None]:
    """Yield at once, and then after each interval."""
    while True:
        yield
        await asyncio.sleep(seconds)
