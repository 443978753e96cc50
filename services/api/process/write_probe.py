"""Check that PostgreSQL accepts writes: with a full disk it still answers queries, but stores nothing."""

import logging
import time

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from services.api.process.acting import Purpose, as_platform
from shared.async_database import AsyncDatabase
from shared.error_words import words_of
from shared.outages import Outage

logger = logging.getLogger(__name__)

ASK_SECONDS = 5.0
"""Time for which a result is reused, however often readiness is requested."""
SPILL = text("SELECT count(*) FROM generate_series(1, 60000)")
"""Needs more than `work_mem`: PostgreSQL writes a temporary file of 1.4 MB, which needs free disk space."""
LOG = text("SELECT pg_logical_emit_message(true, 'luminary.readiness', '')")
"""Writes a record to the write-ahead log, which the commit flushes; it changes no table."""


class WriteProbe:
    """Writes a few bytes that change no data, at most once in `seconds`."""

    def __init__(self, database: AsyncDatabase, seconds: float = ASK_SECONDS) -> None:
        self._database = database
        self._seconds = seconds
        self._outage = Outage(logger, "the database (write check)")
        self._asked_at: float | None = None
        self._takes_writes = False

    async def takes_writes(self) -> bool:
        """Whether a transaction that writes to disk was committed within the last `seconds`."""
        now = time.monotonic()
        if self._asked_at is None or now - self._asked_at >= self._seconds:
            self._takes_writes = await self._write()
            self._asked_at = now
        return self._takes_writes

    async def _write(self) -> bool:
        started = time.monotonic()
        try:
            async with as_platform(Purpose.PROBES), self._database.transaction() as session:
                await session.execute(text("SET LOCAL work_mem = '64kB'"))
                await session.execute(SPILL)
                await session.execute(LOG)
        except SQLAlchemyError as error:
            self._outage.failed(words_of(error), started)
            return False
        self._outage.answered()
        return True
