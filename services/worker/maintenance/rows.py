"""The database's side of the rounds: one transaction a call, and no decisions."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from sqlalchemy import and_, delete, func, select, update

from shared.database import Database
from shared.job_store import (
    expire_overdue_jobs,
    expire_undrawable_jobs,
    expire_unservable_jobs,
    reap_expired_leases,
    settle_overlooked_children,
    waiting_queues,
)
from shared.job_store.clock import database_time, time_after
from shared.job_store.estimates import delete_old_estimates
from shared.job_store.removal import Removal, claim_expired, keep_text, mark_removed
from shared.job_store.retention import delete_old_checkpoints
from shared.jobs import Queue
from shared.settings import RetentionSettings
from shared.tables import IdempotencyRecord, Job, WorkerRow

ESTIMATES_KEPT_SECONDS = 30 * 86_400.0
"""Estimates are kept for so long, to compare them with what came true."""


class MaintenanceRows(Protocol):
    """Every call raises database errors."""

    def reap(self, max_interruptions: int) -> Sequence[Job]:
        """Queue the jobs again whose leases ran out, or fail those that lost too many workers."""
        ...

    def retire_silent_workers(self, lease_seconds: float) -> None:
        """Mark workers as gone that sent no heartbeat for a lease time; a later one removes the mark."""
        ...

    def expire_jobs(self, model_wait_seconds: float) -> Sequence[Job]:
        """End jobs past their deadline, and jobs whose model or numerics identity no worker has.

        Also start or cancel the children of ended jobs that are still blocked.
        """
        ...

    def waiting_jobs(self) -> Mapping[Queue, int]:
        """How many jobs wait in each queue."""
        ...

    def served_queues(self, lease_seconds: float) -> frozenset[str]:
        """The queues of workers with a recent heartbeat."""
        ...

    def remove_old_rows(self, worker_seconds: float) -> None:
        """Remove expired idempotency records, checkpoints of ended jobs, and workers silent for so long."""
        ...

    def claim_expired(self, most: int) -> Sequence[Removal]:
        """Up to `most` expired pictures, which no other io worker gets for a while."""
        ...

    def keep_text(self, removal: Removal, png_text: bytes) -> None:
        """Keep the text chunks of a picture whose file is about to be deleted."""
        ...

    def mark_removed(self, removal: Removal) -> None:
        """Record that the picture's objects are deleted. Its row stays, so that sessions keep their tree."""
        ...


class DatabaseRows:
    """Those of the whole platform."""

    def __init__(self, database: Database, retention: RetentionSettings) -> None:
        self._database = database
        self._retention = retention

    def reap(self, max_interruptions: int) -> Sequence[Job]:
        """See MaintenanceRows."""
        with self._database.transaction() as session:
            return reap_expired_leases(session, max_interruptions)

    def retire_silent_workers(self, lease_seconds: float) -> None:
        """See MaintenanceRows."""
        silent = and_(WorkerRow.left_at.is_(None), WorkerRow.heartbeat_at < time_after(-lease_seconds))
        with self._database.transaction() as session:
            session.execute(
                update(WorkerRow)
                .where(silent)
                .values(left_at=database_time())
                .execution_options(synchronize_session=False)
            )

    def expire_jobs(self, model_wait_seconds: float) -> Sequence[Job]:
        """See MaintenanceRows."""
        with self._database.transaction() as session:
            expired = expire_overdue_jobs(session)
            expired += expire_unservable_jobs(session, model_wait_seconds)
            expired += expire_undrawable_jobs(session, model_wait_seconds)
            settle_overlooked_children(session)
        return expired

    def waiting_jobs(self) -> Mapping[Queue, int]:
        """See MaintenanceRows."""
        with self._database.transaction() as session:
            return waiting_queues(session)

    def served_queues(self, lease_seconds: float) -> frozenset[str]:
        """See MaintenanceRows."""
        alive = select(func.unnest(WorkerRow.queues)).where(
            WorkerRow.heartbeat_at > time_after(-lease_seconds), WorkerRow.left_at.is_(None)
        )
        with self._database.transaction() as session:
            return frozenset(session.scalars(alive))

    def remove_old_rows(self, worker_seconds: float) -> None:
        """See MaintenanceRows."""
        with self._database.transaction() as session:
            stale = WorkerRow.heartbeat_at < time_after(-worker_seconds)
            session.execute(delete(WorkerRow).where(stale))
            delete_old_checkpoints(session, self._retention)
            delete_old_estimates(session, ESTIMATES_KEPT_SECONDS)
            session.execute(delete(IdempotencyRecord).where(IdempotencyRecord.expires_at <= database_time()))

    def claim_expired(self, most: int) -> Sequence[Removal]:
        """See MaintenanceRows."""
        with self._database.transaction() as session:
            return claim_expired(session, self._retention, most)

    def keep_text(self, removal: Removal, png_text: bytes) -> None:
        """See MaintenanceRows."""
        with self._database.transaction() as session:
            keep_text(session, removal, png_text)

    def mark_removed(self, removal: Removal) -> None:
        """See MaintenanceRows."""
        with self._database.transaction() as session:
            mark_removed(session, removal)
