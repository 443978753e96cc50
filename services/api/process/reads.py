"""Lists, trees and exports read from a replica of the database, but never anything old.

Before each read, the primary says how much it has written, and the replica says how much of that it has
replayed. A replica that is behind is given a moment; then the primary is read. So a client always finds what
it has just written, and the primary answers only a question that costs it almost nothing.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.api.http.metrics import Metrics
from shared.async_database import DATABASE_FAULTS, AsyncDatabase
from shared.settings import DatabaseSettings
from shared.walls import Wall

logger = logging.getLogger(__name__)

BEHIND_SECONDS = 0.05
"""Longest wait of a read for a replica that is behind."""
LOOK_SECONDS = 0.01
REST_SECONDS = 10.0
"""A replica that does not answer is not asked again for this time."""
WRITTEN = text("SELECT pg_current_wal_insert_lsn()::text")
HAS_REPLAYED = text("SELECT coalesce(pg_last_wal_replay_lsn() >= CAST(:written AS pg_lsn), false)")
"""Null on a server that is no replica, for example one that has become the primary."""


class Reads:
    """Transactions that only read. Without a replica they are those of the primary."""

    def __init__(self, primary: AsyncDatabase, replica: AsyncDatabase | None, metrics: Metrics) -> None:
        self._primary = primary
        self._replica = replica
        self._metrics = metrics
        self._resting_until = 0.0

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        """A transaction that sees everything that was committed before it began."""
        async with AsyncExitStack() as stack:
            session = await self._on_replica(stack)
            server = "primary" if session is None else "replica"
            if session is None:
                session = await stack.enter_async_context(self._primary.transaction())
            self._metrics.reads.labels(server).inc()
            yield session

    async def dispose(self) -> None:
        """Close the connections to the replica."""
        if self._replica is not None:
            await self._replica.dispose()

    async def _on_replica(self, stack: AsyncExitStack) -> AsyncSession | None:
        """A transaction of a replica that has replayed everything, on the stack; None if there is none."""
        if self._replica is None or time.monotonic() < self._resting_until:
            return None
        async with self._primary.transaction() as session:
            written: str = (await session.execute(WRITTEN)).scalar_one()
        try:
            async with AsyncExitStack() as attempt:
                session = await attempt.enter_async_context(self._replica.transaction())
                if not await has_replayed(session, written):
                    return None
                stack.push_async_exit(attempt.pop_all())
                return session
        except DATABASE_FAULTS:
            self._resting_until = time.monotonic() + REST_SECONDS
            return None


async def has_replayed(session: AsyncSession, written: str) -> bool:
    """Return true when the replica has replayed the primary's log up to this place, false when it is late."""
    deadline = time.monotonic() + BEHIND_SECONDS
    while not (await session.execute(HAS_REPLAYED, {"written": written})).scalar_one():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(LOOK_SECONDS)
    return True


def replica_of(settings: DatabaseSettings, url: SecretStr | None, wall: Wall) -> AsyncDatabase | None:
    """The replica at this address, with the primary's other settings; None without an address."""
    if url is None:
        return None
    replica = settings.model_copy(update={"url": url})
    return AsyncDatabase(replica, wall=wall, name="the replica of the database")
