"""Database transactions of the gateway: synchronous functions run on an asynchronous connection.

    async with database.transaction() as session:
        job = await session.run_sync(submit_job, new_job)

Separate from `shared.database`, because only this module needs greenlet.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from weakref import WeakValueDictionary

from psycopg.errors import QueryCanceled
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, TimeoutError  # noqa: A004  (the pool's)
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

from shared.async_connections import Connector
from shared.database import engine_options, sqlalchemy_url
from shared.error_words import words_of
from shared.jobs import CHANGED_JOBS, JobChange
from shared.metrics import count_changes
from shared.outages import Outage
from shared.settings import DatabaseSettings
from shared.tracing.spans import ENDED_SPANS, EndedSpan, write_ended
from shared.walls import Wall, WalledSession

logger = logging.getLogger(__name__)

DATABASE_FAULTS = (OperationalError, InterfaceError, TimeoutError)
"""Errors of a database that does not answer, or of a pool without a free connection."""

Announce = Callable[[Sequence[JobChange]], object]


def ended_by_its_own_limit(error: Exception) -> bool:
    """Whether the server ended a statement at its timeout: the server itself answers."""
    return isinstance(error, DBAPIError) and isinstance(error.orig, QueryCanceled)


class AsyncDatabase:
    """The database for asynchronous code, which is the gateway's."""

    def __init__(
        self,
        settings: DatabaseSettings,
        announce: Announce | None = None,
        *,
        before_commit: Callable[[Session], object] | None = None,
        owner_of: Callable[[], Hashable | None] | None = None,
        wall: Wall | None = None,
        name: str = "the database",
    ) -> None:
        """announce: called after each commit with the jobs whose state it has changed; must not block.

        before_commit: called in each transaction before it is committed. owner_of: whom the task works for;
        one owner gets half of the connections at most. wall: keeps projects apart; without one, all rows are
        seen. name: the server in log lines.
        """
        self._owner_of = owner_of
        self._most_of_an_owner = max(1, settings.pool_size // 2)
        self._rooms: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()
        self._before_commit = before_commit
        self._announce = announce
        self._connector = Connector()
        options = engine_options(settings)
        options["connect_args"]["async_creator_fn"] = self._connector.connect
        if wall is not None:
            options["connect_args"]["autocommit"] = True  # the wall begins transactions, not the driver
        self.engine: AsyncEngine = create_async_engine(sqlalchemy_url(settings), **options)
        if wall is not None:
            wall.stand_before(self.engine)
        self._wall = wall
        self._outage = Outage(logger, name)
        kind = Session if wall is None else WalledSession
        self._sessions = async_sessionmaker(self.engine, sync_session_class=kind, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        started = time.monotonic()
        try:
            facts = {} if self._wall is None else self._wall.facts()
            async with self._room(), self._sessions(info=facts) as session, session.begin():
                yield session
                if self._before_commit is not None:
                    await session.run_sync(self._before_commit)
                changes: Sequence[JobChange] = session.info.pop(CHANGED_JOBS, ())
                spans: Sequence[EndedSpan] = session.info.pop(ENDED_SPANS, ())
        except DATABASE_FAULTS as error:
            if not ended_by_its_own_limit(error):
                self._outage.failed(words_of(error), started)
            raise
        self._outage.answered()
        write_ended(spans)
        count_changes(changes)
        if changes and self._announce is not None:
            self._announce(changes)

    def _room(self) -> AbstractAsyncContextManager[object]:
        """A place among the connections of the current owner; its further transactions wait for one."""
        owner = None if self._owner_of is None else self._owner_of()
        if owner is None:
            return nullcontext()
        return self._rooms.setdefault(owner, asyncio.Semaphore(self._most_of_an_owner))

    async def dispose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
        await self._connector.close()
