"""One round of the heart: extend every lease of the worker, learn which attempts must stop, say "alive"."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.worker.attempts import Attempts, StopReason
from shared.database import Database
from shared.job_store import extend_leases
from shared.jobs import Queue
from shared.tables import WorkerRow

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerCard:
    """What the workers' table shows of this process; `model` as `describe_model` gives it."""

    id: str
    queues: Sequence[Queue]
    slots: int
    model: Mapping[str, Any]


class Heartbeat:
    """Beats for all attempts at once."""

    def __init__(
        self, database: Database, attempts: Attempts, card: WorkerCard, lease_seconds: float
    ) -> None:
        self._database = database
        self._attempts = attempts
        self._card = card
        self._lease_seconds = lease_seconds
        self._draining = False

    def begin_draining(self) -> None:
        """Say from the next round on that the worker takes no more jobs."""
        self._draining = True

    def beat(self) -> None:
        """One round. Raises what the database raises; leases that were not extended run out by themselves."""
        running = self._attempts.running()
        with self._database.transaction() as session:
            report = extend_leases(session, [attempt.lease for attempt in running], self._lease_seconds)
            report_alive(session, self._card, draining=self._draining)
        for attempt in running:
            if report.is_lost(attempt.lease):
                attempt.stop(StopReason.LOST)
            elif report.should_cancel(attempt.lease):
                attempt.stop(StopReason.CANCEL)

    def leave(self) -> None:
        """Take the worker off the table."""
        with self._database.transaction() as session:
            session.execute(delete(WorkerRow).where(WorkerRow.id == self._card.id))


def report_alive(session: Session, card: WorkerCard, *, draining: bool) -> None:
    """Write the worker's row, or its next heartbeat."""
    seen = {"draining": draining, "heartbeat_at": func.clock_timestamp()}
    row = {
        "id": card.id,
        "queues": [queue.value for queue in card.queues],
        "slots": card.slots,
        "model": dict(card.model),
    }
    session.execute(
        insert(WorkerRow).values(row | seen).on_conflict_do_update(index_elements=[WorkerRow.id], set_=seen)
    )
