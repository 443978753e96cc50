"""Rules for which workers may continue a job, by their numerics identity.

Another numerics identity draws other bits from the same seed. So a job with saved codes waits for a worker of
its identity while one is running, or ran within `JOB_MODEL_WAIT_SECONDS`. A job that was begun but has no
saved codes waits for PREFERENCE_SECONDS. After that any worker takes the job and draws it from the start, and
the job shows the change in `numerics_changed`.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session

from shared.job_store.clock import time_after
from shared.tables import Job, WorkerRow

PREFERENCE_SECONDS: Final = 5.0
"""Time for which a job that was begun, but has no saved codes, is reserved for workers of its identity."""

BEGUN_WITH: Final = func.coalesce(Job.checkpoint_numerics, Job.numerics)
"""The identity for which a job is reserved; null for a job that no worker has begun."""


def may_draw(numerics: str | None, wait_seconds: float) -> ColumnElement[bool]:
    """SQL: whether a worker of this identity may start or continue the job now."""
    is_wanted = or_(Job.wanted_numerics.is_(None), Job.wanted_numerics == numerics)
    # the workers' table is queried last, because nearly all waiting jobs have not been begun
    is_free = or_(
        BEGUN_WITH.is_(None),
        BEGUN_WITH.is_not_distinct_from(numerics),
        and_(Job.checkpoint_numerics.is_(None), Job.available_at <= time_after(-PREFERENCE_SECONDS)),
        ~lived(BEGUN_WITH, wait_seconds, Job.queue),
    )
    return and_(is_wanted, is_free)


def lived(
    numerics: ColumnElement[str | None] | Any, wait_seconds: float, queue: Any = None
) -> ColumnElement[bool]:
    """SQL: whether a worker of the identity sent a heartbeat within the last `wait_seconds`.

    queue: count only workers that serve this queue.
    """
    worker = exists().where(
        WorkerRow.numerics == numerics, WorkerRow.heartbeat_at > time_after(-wait_seconds)
    )
    return worker if queue is None else worker.where(queue == func.any(WorkerRow.queues))


def own_jobs_first(numerics: str | None) -> ColumnElement[int]:
    """SQL sort key: 0 for jobs that are new or were begun by this identity, 1 for all others."""
    return case((or_(BEGUN_WITH.is_(None), BEGUN_WITH.is_not_distinct_from(numerics)), 0), else_=1)


def changes_of_claim(numerics: str | None) -> dict[str, Any]:
    """Columns that a claim sets: the identity, and after a change the one before and the attempt."""
    is_change = and_(Job.numerics.is_not(None), Job.numerics.is_distinct_from(numerics))
    return {
        "numerics": numerics,
        "numerics_before": case((is_change, Job.numerics), else_=Job.numerics_before),
        "numerics_attempt": case((is_change, Job.attempt + 1), else_=Job.numerics_attempt),
    }


def event_data(job: Job) -> Mapping[str, Any]:
    """Data of a claim's event: the identity, and its change if this claim changed it."""
    data: dict[str, Any] = {} if job.numerics is None else {"numerics": job.numerics}
    if job.numerics_attempt == job.attempt:
        data["numerics_changed"] = {"from": job.numerics_before, "to": job.numerics}
    return data


def recent_numerics(session: Session, wait_seconds: float) -> frozenset[str]:
    """Identities of all workers that sent a heartbeat within the last `wait_seconds`."""
    statement = (
        select(WorkerRow.numerics)
        .where(WorkerRow.numerics.is_not(None), WorkerRow.heartbeat_at > time_after(-wait_seconds))
        .distinct()
    )
    return frozenset(name for name in session.scalars(statement) if name is not None)
