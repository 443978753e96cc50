"""Open asynchronous connections to PostgreSQL; close those whose task was cancelled meanwhile."""

import asyncio
from typing import Any

from psycopg import AsyncConnection

CLOSE_SECONDS = 1.0
"""Longest wait of `close` for connections that are still being made."""


class Connector:
    """Connects for an engine: `connect_args={"async_creator_fn": connector.connect}`.

    A cancelled `AsyncConnection.connect` keeps its socket until Python collects it as garbage. PostgreSQL 18
    then waits for the rest of the sign-in for a minute (`authentication_timeout`), and
    with it everything that all server processes must agree to, such as DROP DATABASE.
    """

    def __init__(self) -> None:
        self._unwanted: set[asyncio.Task[AsyncConnection[Any]]] = set()

    async def connect(self, *address: Any, **options: Any) -> AsyncConnection[Any]:
        """Connect. If the task is cancelled, the connection is made nevertheless, and closed at once."""
        connecting = asyncio.create_task(AsyncConnection.connect(*address, **options))
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            self._unwanted.add(connecting)
            connecting.add_done_callback(self._close)
            raise

    def _close(self, connected: "asyncio.Task[AsyncConnection[Any]]") -> None:
        self._unwanted.discard(connected)
        if not connected.cancelled() and connected.exception() is None:
            # as AsyncConnection.close does, without a task for its one line that never waits
            connected.result().pgconn.finish()

    async def close(self) -> None:
        """Wait a moment for connections that nobody wants any more, then give them up."""
        if self._unwanted:
            _, late = await asyncio.wait(self._unwanted, timeout=CLOSE_SECONDS)
            for connecting in late:
                connecting.cancel()
