"""Give a worker the fairest waiting job."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from shared.job_store.clock import database_time, time_after
from shared.job_store.records import ClaimedJob, Lease
from shared.job_store.transitions import transition
from shared.jobs import ACTIVE_STATES, JobEvent, JobState, Queue
from shared.tables import Checkpoint, Job, JobRequestRow


def claim_next_job(
    session: Session,
    queues: Sequence[Queue],
    worker_id: str,
    lease_seconds: float,
    just_served: UUID | None = None,
    *,
    model: str | None = None,
) -> ClaimedJob | None:
    """Start the next job of these queues for the worker, or return None when there is none.

    model: the one that the worker has; jobs that ask for another are not for it.

    Order: higher priority, then the project with the fewest running jobs, then age. The project whose job the
    slot had before, `just_served`, counts one more, so that projects take turns at a single slot, too.
    Guarantee: however many jobs another project has waiting, between the moment when a project's only job is
    queued and the moment when it starts, no more of them start than there are slots.

    Jobs that another claim holds at this moment are passed over, so two claims never wait for each other and
    never take the same job.
    The choice is a MATERIALIZED expression: inlined, the planner may evaluate it again and lock further rows.
    """
    running = (
        select(Job.project_id, func.count().label("jobs"))
        .where(Job.state.in_(sorted(ACTIVE_STATES)))
        .group_by(Job.project_id)
        .cte("running")
    )
    served = case((Job.project_id == just_served, 1), else_=0)
    fairest = (
        select(Job.id)
        .outerjoin(running, running.c.project_id == Job.project_id)
        .where(
            Job.state == JobState.QUEUED.value,
            Job.queue.in_([queue.value for queue in queues]),
            Job.available_at <= database_time(),
            or_(Job.model.is_(None), Job.model == model),
            or_(Job.attempt > 0, Job.start_by.is_(None), Job.start_by > database_time()),
            or_(Job.finish_by.is_(None), Job.finish_by > database_time()),
        )
        .order_by(Job.priority, func.coalesce(running.c.jobs, 0) + served, Job.id)
        .limit(1)
        .with_for_update(of=Job, skip_locked=True)
        .cte("fairest")
        .prefix_with("MATERIALIZED")
    )
    started = transition(
        session,
        JobEvent.STARTED,
        Job.id.in_(select(fairest.c.id)),
        {
            "attempt": Job.attempt + 1,
            "started_at": func.coalesce(Job.started_at, database_time()),
            "lease_owner": worker_id,
            "lease_expires_at": time_after(lease_seconds),
            "heartbeat_at": database_time(),
        },
        {"worker": worker_id},
    )
    return load_claimed(session, started[0]) if started else None


def load_claimed(session: Session, job: Job) -> ClaimedJob:
    """Add the request and the checkpoint to a job that was just claimed."""
    request, checkpoint = session.execute(
        select(JobRequestRow.request, Checkpoint.state)
        .outerjoin(Checkpoint, Checkpoint.job_id == JobRequestRow.job_id)
        .where(JobRequestRow.job_id == job.id)
    ).one()
    return ClaimedJob(
        lease=Lease(job.id, job.attempt),
        project_id=job.project_id,
        queue=Queue(job.queue),
        task=job.task,
        request=request,
        checkpoint=checkpoint,
        finish_by=job.finish_by,
    )
