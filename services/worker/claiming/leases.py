"""Read and write this worker's leases and its row in the database, one transaction per call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.database import Database
from shared.job_store import HeartbeatReport, Lease, extend_leases, find_canceling, release_job
from shared.jobs import Queue
from shared.tables import WorkerRow


@dataclass(frozen=True)
class WorkerCard:
    """The facts that the workers' table shows about this process.

    model: returns the description for the models resource.
    """

    id: str
    queues: Sequence[Queue]
    slots: int
    model: Callable[[], Mapping[str, Any]]


class Leases:
    """The leases and the row of one worker. Every call raises database errors."""

    def __init__(self, database: Database, card: WorkerCard, lease_seconds: float) -> None:
        self._database = database
        self._card = card
        self._lease_seconds = lease_seconds

    def extend(self, held: Sequence[Lease], numerics: str | None, *, draining: bool) -> HeartbeatReport:
        """Extend the leases and write the worker's heartbeat, in one transaction.

        numerics: the short name of the numerics identity, None while it is not known.
        """
        with self._database.transaction() as session:
            report = extend_leases(session, held, self._lease_seconds)
            report_alive(session, self._card, numerics, draining=draining)
        return report

    def canceling(self, held: Sequence[Lease]) -> frozenset[Lease]:
        """Those of the leases whose jobs are to be canceled."""
        with self._database.transaction() as session:
            return frozenset(find_canceling(session, held))

    def release(self, lease: Lease) -> None:
        """Queue a job again because the worker drains. Raises LeaseLostError."""
        with self._database.transaction() as session:
            release_job(session, lease, "drain")

    def leave(self) -> None:
        """Record that the worker has left. Its row stays for a while and shows which identity it had."""
        with self._database.transaction() as session:
            session.execute(
                update(WorkerRow)
                .where(WorkerRow.id == self._card.id)
                .values(draining=True, left_at=func.clock_timestamp())
            )


def report_alive(session: Session, card: WorkerCard, numerics: str | None, *, draining: bool) -> None:
    """Insert the worker's row, or update it with the next heartbeat."""
    seen = {
        "draining": draining,
        "heartbeat_at": func.clock_timestamp(),
        "left_at": None,
        "model": dict(card.model()),
        "numerics": numerics,
    }
    row = {"id": card.id, "queues": [queue.value for queue in card.queues], "slots": card.slots}
    session.execute(
        insert(WorkerRow).values(row | seen).on_conflict_do_update(index_elements=[WorkerRow.id], set_=seen)
    )
