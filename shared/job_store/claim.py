"""Claim a waiting job for a worker, fairly between projects."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from shared.job_store.clock import database_time, time_after
from shared.job_store.numerics import changes_of_claim, event_data, may_draw, own_jobs_first
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
    numerics: str | None = None,
    numerics_wait_seconds: float = 600.0,
) -> ClaimedJob | None:
    """Start the next job of these queues for the worker, or return None if there is none.

    model: the worker's model; jobs that request another one are skipped. numerics: the worker's numerics
    identity; jobs that another identity began are skipped while a worker of that identity is running, or ran
    within `numerics_wait_seconds` (see the module `numerics`).

    Order: higher priority, then the project with the fewest running jobs, then jobs that are new or were
    begun by this identity, then age. One job is added to the count of `just_served`, the project that the
    slot served before, so that projects take turns even with a single slot.
    Guarantee: while the only job of a project waits, other projects start at most as many jobs as there are
    slots, however many they have queued.

    Rows that another claim has locked are skipped, so two claims never wait for each other and never take the
    same job. The selection is MATERIALIZED, because the planner may evaluate an inlined one twice and lock
    further rows.
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
            Job.blocked_by.is_(None),
            Job.queue.in_([queue.value for queue in queues]),
            Job.available_at <= database_time(),
            or_(Job.model.is_(None), Job.model == model),
            or_(Job.attempt > 0, Job.start_by.is_(None), Job.start_by > database_time()),
            or_(Job.finish_by.is_(None), Job.finish_by > database_time()),
            may_draw(numerics, numerics_wait_seconds),
        )
        .order_by(Job.priority, func.coalesce(running.c.jobs, 0) + served, own_jobs_first(numerics), Job.id)
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
            **changes_of_claim(numerics),
        },
        lambda job: {"worker": worker_id, **event_data(job)},
    )
    return load_claimed(session, started[0]) if started else None


def load_claimed(session: Session, job: Job) -> ClaimedJob:
    """Read the request and the checkpoint of a job that was just claimed."""
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
        checkpoint_numerics=job.checkpoint_numerics,
        traceparent=job.traceparent,
        waited_seconds=seconds_waited(job),
    )


def seconds_waited(job: Job) -> float:
    """Time from when a job could be claimed until it was, just now."""
    if job.heartbeat_at is None:
        return 0.0
    return max(0.0, (job.heartbeat_at - job.available_at).total_seconds())
