"""The unit of work for the gateway; it runs the same synchronous functions on an asynchronous connection.

    async with database.transaction() as session:
        job = await session.run_sync(submit_job, new_job)

Apart from `shared.database`, because it alone needs greenlet.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from shared.database import engine_options, sqlalchemy_url
from shared.settings import DatabaseSettings


class AsyncDatabase:
    """The asynchronous door, for the gateway."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self.engine: AsyncEngine = create_async_engine(sqlalchemy_url(settings), **engine_options(settings))
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        """One unit of work: committed when the block ends, rolled back when it raises."""
        async with self._sessions.begin() as session:
            yield session

    async def dispose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()
