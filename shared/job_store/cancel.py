"""A user's wish to stop a job."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from shared.job_store.records import Lease
from shared.job_store.transitions import transition
from shared.jobs import JobEvent, JobState
from shared.tables import Job


def request_cancel(session: Session, project_id: UUID, job_id: UUID) -> Job | None:
    """Cancel a waiting job at once, ask a running one to stop, leave a finished one as it is.

    Returns the job as it then stands, or None when the project has no such job. Asking twice changes nothing.
    """
    job = session.scalars(
        select(Job)
        .where(Job.id == job_id, Job.project_id == project_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()
    if job is None:
        return None
    match JobState(job.state):
        case JobState.QUEUED:
            event = JobEvent.CANCELED
        case JobState.RUNNING:
            event = JobEvent.CANCELING
        case _:
            return job
    return transition(session, event, Job.id == job_id)[0]


def find_canceling(session: Session, leases: Sequence[Lease]) -> frozenset[Lease]:
    """Which of these attempts are to stop because the user asked."""
    held = [(lease.job_id, lease.attempt) for lease in leases]
    statement = select(Job.id, Job.attempt).where(
        tuple_(Job.id, Job.attempt).in_(held), Job.state == JobState.CANCELING.value
    )
    return frozenset(Lease(job_id, attempt) for job_id, attempt in session.execute(statement))
