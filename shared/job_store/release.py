"""Queue running jobs again for other workers, when a worker drains or was lost."""

from sqlalchemy import ColumnElement, and_, not_, select
from sqlalchemy.orm import Session

from shared.job_errors import JobErrorCode
from shared.job_store.clock import database_time, time_after
from shared.job_store.records import Lease, LeaseLostError
from shared.job_store.transitions import held_by, transition
from shared.jobs import ACTIVE_STATES, JobEvent, JobState
from shared.tables import Job

REAP_BATCH = 100


def release_job(session: Session, lease: Lease, reason: str, pause_seconds: float = 0.0) -> Job:
    """Queue the job again, at once or after a pause, as an interruption. Raises LeaseLostError.

    A canceling job is canceled instead.
    """
    interrupted = {"interruptions": Job.interruptions + 1, "available_at": time_after(pause_seconds)}
    for event, values in ((JobEvent.INTERRUPTED, interrupted), (JobEvent.CANCELED, {})):
        jobs = transition(
            session,
            event,
            and_(held_by(lease), Job.state.in_(sorted(ACTIVE_STATES))),
            values,
            {"reason": reason},
        )
        if jobs:
            return jobs[0]
    raise LeaseLostError(f"attempt {lease.attempt} does not hold job {lease.job_id}")


def reap_expired_leases(session: Session, max_interruptions: int) -> list[Job]:
    """Queue jobs again whose lease has expired; canceling ones are canceled. Returns the changed jobs.

    A job fails after `max_interruptions` lost workers, because it probably crashes them. A job whose codes
    are all drawn is queued again in any case, because only decoding is left. Rows that another reaper has
    locked are skipped, so several reapers may run at the same time.
    """
    due = (
        select(Job.id)
        .where(Job.state.in_(sorted(ACTIVE_STATES)), Job.lease_expires_at <= database_time())
        .limit(REAP_BATCH)
        .with_for_update(skip_locked=True)
    )
    ids = list(session.scalars(due))
    if not ids:
        return []
    mine = Job.id.in_(ids)
    drawn = and_(Job.tokens_total > 0, Job.tokens_done == Job.tokens_total)
    hopeless: ColumnElement[bool] = and_(Job.interruptions + 1 >= max_interruptions, not_(drawn))
    data = {"reason": JobErrorCode.WORKER_LOST.value}
    lost = {"interruptions": Job.interruptions + 1}
    error = {
        "error_code": JobErrorCode.WORKER_LOST.value,
        "error_message": f"{max_interruptions} workers were lost while they ran this job.",
    }
    return [
        *transition(session, JobEvent.CANCELED, and_(mine, Job.state == JobState.CANCELING.value), data=data),
        *transition(session, JobEvent.FAILED, and_(mine, hopeless), lost | error, data),
        *transition(session, JobEvent.INTERRUPTED, mine, lost | {"available_at": database_time()}, data),
    ]
