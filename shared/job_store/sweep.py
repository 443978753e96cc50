"""Periodic checks: expire jobs that can no longer run in time, and find queues with waiting jobs."""

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session

from shared.job_errors import JobErrorCode
from shared.job_store.clock import database_time, time_after
from shared.job_store.numerics import lived
from shared.job_store.transitions import transition
from shared.jobs import JobEvent, JobState, Queue
from shared.tables import Job, WorkerRow

SWEEP_BATCH = 100


def expire_overdue_jobs(session: Session) -> list[Job]:
    """End jobs whose deadline has passed: waiting ones expire, running ones fail. Returns the changed jobs.

    Only the first start counts for `start_by`; a job that is interrupted after it may start again later.
    """
    unstarted = and_(Job.attempt == 0, Job.start_by <= database_time())
    overdue = Job.finish_by <= database_time()
    open_states = sorted({JobState.QUEUED, JobState.RUNNING})
    due = (
        select(Job.id)
        .where(Job.state.in_(open_states), or_(unstarted, overdue))
        .limit(SWEEP_BATCH)
        .with_for_update(skip_locked=True)
    )
    ids = list(session.scalars(due))
    if not ids:
        return []
    error = {
        "error_code": JobErrorCode.DEADLINE_EXCEEDED.value,
        "error_message": "The deadline of the request passed before the job was done.",
    }
    mine = Job.id.in_(ids)
    return [
        *transition(session, JobEvent.EXPIRED, mine, error),
        *transition(session, JobEvent.FAILED, mine, error, {"code": JobErrorCode.DEADLINE_EXCEEDED.value}),
    ]


def expire_unservable_jobs(session: Session, wait_seconds: float) -> list[Job]:
    """End jobs that have waited `wait_seconds` for their first start because no worker has their model.

    A model counts as available until `wait_seconds` after the last heartbeat of a worker that has it. While
    no worker runs at all, nothing is ended, since the models of future workers are unknown. Interrupted jobs
    continue to wait, since their model was available before.
    """
    heard = WorkerRow.heartbeat_at > time_after(-wait_seconds)
    due = (
        select(Job.id)
        .where(
            Job.state == JobState.QUEUED.value,
            Job.attempt == 0,
            Job.created_at <= time_after(-wait_seconds),
            Job.model.is_not(None),
            exists().where(WorkerRow.left_at.is_(None), heard),
            ~exists().where(WorkerRow.model["name"].astext == Job.model, heard),
        )
        .limit(SWEEP_BATCH)
        .with_for_update(of=Job, skip_locked=True)
    )
    ids = list(session.scalars(due))
    error = {
        "error_code": JobErrorCode.MODEL_UNAVAILABLE.value,
        "error_message": "No worker has the model that the job requests.",
    }
    return list(transition(session, JobEvent.EXPIRED, Job.id.in_(ids), error)) if ids else []


def expire_undrawable_jobs(session: Session, wait_seconds: float) -> list[Job]:
    """End jobs that have waited `wait_seconds` for their requested numerics identity, while no worker had it.

    While no worker runs at all, nothing is ended. A job that was interrupted ends as well, since no worker of
    another identity may continue it.
    """
    due = (
        select(Job.id)
        .where(
            Job.state == JobState.QUEUED.value,
            Job.wanted_numerics.is_not(None),
            Job.available_at <= time_after(-wait_seconds),
            exists().where(WorkerRow.left_at.is_(None), WorkerRow.heartbeat_at > time_after(-wait_seconds)),
            ~lived(Job.wanted_numerics, wait_seconds),
        )
        .limit(SWEEP_BATCH)
        .with_for_update(of=Job, skip_locked=True)
    )
    ids = list(session.scalars(due))
    error = {
        "error_code": JobErrorCode.NUMERICS_UNAVAILABLE.value,
        "error_message": "No worker has the numerics identity that the job requests.",
    }
    return list(transition(session, JobEvent.EXPIRED, Job.id.in_(ids), error)) if ids else []


def waiting_queues(session: Session) -> dict[Queue, int]:
    """Number of jobs in each queue that could start now. The sweeper rings the doorbells of these queues."""
    statement = (
        select(Job.queue, func.count())
        .where(
            Job.state == JobState.QUEUED.value, Job.blocked_by.is_(None), Job.available_at <= database_time()
        )
        .group_by(Job.queue)
    )
    return {Queue(queue): count for queue, count in session.execute(statement)}


def queue_position(session: Session, job: Job) -> int:
    """Number of jobs of the same project and queue that are ahead of the job; 0 means it is the next one.

    Jobs of other projects are not counted, because their number is no business of this project's clients.
    """
    statement = select(func.count()).where(
        Job.project_id == job.project_id,
        Job.state == JobState.QUEUED.value,
        Job.blocked_by.is_(None),
        Job.queue == job.queue,
        or_(Job.priority < job.priority, and_(Job.priority == job.priority, Job.id < job.id)),
    )
    return session.scalars(statement).one()
