"""Cancel a job at a client's request."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from shared.job_store.records import Lease
from shared.job_store.transitions import transition
from shared.jobs import JobEvent, JobState
from shared.tables import Job


def request_cancel(session: Session, project_id: UUID, job_id: UUID) -> Job | None:
    """Cancel a waiting job at once, mark a running one as canceling, leave a finished one unchanged.

    Returns the job after that, or None if the project has no such job. A second call changes nothing.
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
    """Those of the attempts whose job the client has canceled."""
    held = [(lease.job_id, lease.attempt) for lease in leases]
    statement = select(Job.id, Job.attempt).where(
        tuple_(Job.id, Job.attempt).in_(held), Job.state == JobState.CANCELING.value
    )
    return frozenset(Lease(job_id, attempt) for job_id, attempt in session.execute(statement))
