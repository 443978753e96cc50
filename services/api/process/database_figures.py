"""Metrics that are read from the database when somebody asks for them."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from shared.async_database import AsyncDatabase

FRESH_SECONDS = 3.0
"""Figures of this age are shown again, however many scrapers ask."""
LIMIT_SECONDS = 3.0


class DatabaseFigures(ABC):
    """Keeps gauges up to date."""

    def __init__(self, database: AsyncDatabase, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._turn = asyncio.Lock()
        self._read_at: float | None = None

    async def refresh(self) -> None:
        """Read the figures unless they are fresh; without an answer in time, show none."""
        async with self._turn:
            if self._read_at is not None and self._clock() - self._read_at < FRESH_SECONDS:
                return
            try:
                await asyncio.wait_for(self._read(), LIMIT_SECONDS)
            except (SQLAlchemyError, TimeoutError):
                self._forget()
                self._read_at = None
                return
            self._read_at = self._clock()

    @abstractmethod
    async def _read(self) -> None:
        """Read the figures and show them."""

    @abstractmethod
    def _forget(self) -> None:
        """Show no figures, because the database does not answer."""
