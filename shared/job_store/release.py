"""Hand jobs back, so that another worker goes on: a draining worker does it, or the reaper for a lost one."""

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from shared.job_errors import JobErrorCode
from shared.job_store.clock import database_time
from shared.job_store.records import Lease, LeaseLostError
from shared.job_store.transitions import held_by, transition
from shared.jobs import ACTIVE_STATES, JobEvent, JobState
from shared.tables import Job

REAP_BATCH = 100


def release_job(session: Session, lease: Lease, reason: str) -> Job:
    """Queue the job again at once; it costs none of its failures. Raises LeaseLostError.

    A job that was to be canceled is canceled instead.
    """
    interrupted = {"interruptions": Job.interruptions + 1, "available_at": database_time()}
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
    """Take the jobs of silent workers back: queued again, canceled if that was wanted.

    One that has lost `max_interruptions` workers is taken for their cause and fails. Rows that another reaper
    works on are passed over, and a reaped row no longer matches, so reapers may run side by side.
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
    hopeless: ColumnElement[bool] = Job.interruptions + 1 >= max_interruptions
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
