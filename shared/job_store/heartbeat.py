"""Extend all leases of a worker in one statement, and report the states of its jobs."""

from collections.abc import Sequence

from sqlalchemy import tuple_, update
from sqlalchemy.orm import Session

from shared.job_store.clock import database_time, time_after
from shared.job_store.records import HeartbeatReport, Lease
from shared.jobs import ACTIVE_STATES, JobState
from shared.tables import Job


def extend_leases(session: Session, leases: Sequence[Lease], lease_seconds: float) -> HeartbeatReport:
    """Extend the leases that have not expired. Expired ones stay lost, even if no worker took the job."""
    if not leases:
        return HeartbeatReport()
    statement = (
        update(Job)
        .where(
            tuple_(Job.id, Job.attempt).in_([(lease.job_id, lease.attempt) for lease in leases]),
            Job.state.in_(sorted(ACTIVE_STATES)),
            Job.lease_expires_at > database_time(),
        )
        .values(heartbeat_at=database_time(), lease_expires_at=time_after(lease_seconds))
        .returning(Job.id, Job.attempt, Job.state)
        .execution_options(synchronize_session=False)
    )
    rows = session.execute(statement).all()
    return HeartbeatReport({Lease(job_id, attempt): JobState(state) for job_id, attempt, state in rows})
