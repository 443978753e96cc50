"""When keys were last used: written in the background, and at most once a minute for each key."""

import asyncio
import logging
from uuid import UUID

from sqlalchemy import ColumnElement, or_, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute

from services.api.process.acting import Purpose, as_platform
from services.api.process.background_tasks import end_tasks
from shared.async_database import AsyncDatabase
from shared.error_words import words_of
from shared.job_store.clock import database_time, time_after
from shared.tables import ApiKey

logger = logging.getLogger(__name__)

STALE_SECONDS = 60.0
"""A last use of this age is written again, however busy the key is."""
GATHER_SECONDS = 1.0
"""Uses of this time are written in one statement."""


def is_stale(last_used_at: InstrumentedAttribute[object]) -> ColumnElement[bool]:
    """Whether the last use is to be written again."""
    return or_(last_used_at.is_(None), last_used_at < time_after(-STALE_SECONDS))


class LastUses:
    """The keys whose last use is to be written soon."""

    def __init__(self, database: AsyncDatabase) -> None:
        self._database = database
        self._waiting: set[UUID] = set()
        self._writing: asyncio.Task[None] | None = None

    def note(self, key_id: UUID) -> None:
        """The key is used now, and its last use is stale. Returns at once."""
        self._waiting.add(key_id)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_soon(), name="last uses of keys")

    async def close(self) -> None:
        """Write what is waiting."""
        if self._writing is not None:
            await end_tasks([self._writing])
        await self._write()

    async def _write_soon(self) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        await self._write()

    async def _write(self) -> None:
        """A failure is logged: the next use of each key is written instead."""
        used, self._waiting = self._waiting, set()
        if not used:
            return
        statement = update(ApiKey).where(is_stale(ApiKey.last_used_at)).values(last_used_at=database_time())
        try:
            async with as_platform(Purpose.AUTHENTICATION), self._database.transaction() as session:
                for key_id in sorted(used):  # in the same order in all gateways, so that none deadlocks
                    await session.execute(
                        statement.where(ApiKey.id == key_id), execution_options={"synchronize_session": False}
                    )
        except SQLAlchemyError as error:
            logger.warning("last uses of keys were not written", extra={"reason": words_of(error)})
