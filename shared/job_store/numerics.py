"""Rules for which workers may continue a job, by their numerics identity.

Another numerics identity draws other bits from the same seed. So a job with saved codes waits for a worker of
its identity while one is running, or ran within `JOB_MODEL_WAIT_SECONDS`. A job that was begun but has no
saved codes waits for PREFERENCE_SECONDS. After that any worker takes the job and draws it from the start, and
the job shows the change in `numerics_changed`. The database function `lock_fairest_job` applies these rules.
"""

from typing import Any, Final

from sqlalchemy import BindParameter, ColumnElement, and_, case, exists, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from shared.job_store.clock import time_after
from shared.tables import Job, WorkerRow

PREFERENCE_SECONDS: Final = 5.0
"""Time for which a job that was begun, but has no saved codes, is reserved for workers of its identity."""


NOTHING = literal({}, JSONB)


def lived(numerics: Any, wait_seconds: float) -> ColumnElement[bool]:
    """SQL: whether a worker of the identity sent a heartbeat within the last `wait_seconds`."""
    return exists().where(WorkerRow.numerics == numerics, WorkerRow.heartbeat_at > time_after(-wait_seconds))


def changes_of_claim(numerics: BindParameter[str]) -> dict[str, Any]:
    """Columns that a claim sets: the identity, and after a change the one before and the attempt."""
    is_change = and_(Job.numerics.is_not(None), Job.numerics.is_distinct_from(numerics))
    return {
        "numerics": numerics,
        "numerics_before": case((is_change, Job.numerics), else_=Job.numerics_before),
        "numerics_attempt": case((is_change, Job.attempt + 1), else_=Job.numerics_attempt),
    }


def event_data(worker: BindParameter[str]) -> ColumnElement[Any]:
    """SQL: data of a claim's event: the worker, its identity, and the change if this claim changed it."""
    build = func.jsonb_build_object
    change = build("from", Job.numerics_before, "to", Job.numerics)
    return (
        build("worker", worker)
        .concat(case((Job.numerics.is_not(None), build("numerics", Job.numerics)), else_=NOTHING))
        .concat(case((Job.numerics_attempt == Job.attempt, build("numerics_changed", change)), else_=NOTHING))
    )


def recent_numerics(session: Session, wait_seconds: float) -> frozenset[str]:
    """Identities of all workers that sent a heartbeat within the last `wait_seconds`."""
    statement = (
        select(WorkerRow.numerics)
        .where(WorkerRow.numerics.is_not(None), WorkerRow.heartbeat_at > time_after(-wait_seconds))
        .distinct()
    )
    return frozenset(name for name in session.scalars(statement) if name is not None)
