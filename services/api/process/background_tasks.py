"""End tasks that run in the background."""

import asyncio
from collections.abc import Iterable
from typing import Any

AGAIN_SECONDS = 0.5
"""Pause before a task that still runs is cancelled again."""


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel the tasks until all have ended.

    One cancellation is not enough: a library can lose it. A client of the Redis protocol raises TimeoutError
    in its place when closing a connection takes long, and psycopg returns the result of a query that ends at
    the same moment (asyncio.wait_for of Python 3.11).
    """
    running = {task for task in tasks if not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=AGAIN_SECONDS)
