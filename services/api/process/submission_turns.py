"""Each project submits one job at a time, so that its limit of waiting jobs holds exactly.

Within a gateway a lock in memory ensures that, so that requests of one project that wait for each other do
not occupy all database connections; between gateways, an advisory lock of the database does. Neither blocks
other projects.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID
from weakref import WeakValueDictionary

from sqlalchemy import Text, cast, func, literal, select
from sqlalchemy.orm import Session

SUBMISSION_LOCKS = 0x6C756D02
"""First key of the advisory locks; the second is a hash of the project."""


class SubmissionTurns:
    """The locks of this process, one for each project."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, project_id: UUID) -> AsyncGenerator[None]:
        """Hold the project's lock while the block runs."""
        lock = self._locks.setdefault(project_id, asyncio.Lock())
        async with lock:
            yield


def take_turn(session: Session, project_id: UUID) -> None:
    """Take the project's advisory lock, which other gateways respect, until the transaction ends."""
    key = func.hashtext(cast(literal(str(project_id)), Text))
    session.execute(select(func.pg_advisory_xact_lock(SUBMISSION_LOCKS, key)))
