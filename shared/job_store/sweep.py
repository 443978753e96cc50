"""What is swept again and again: deadlines that passed, and queues whose doorbell may have been lost."""

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session

from shared.job_errors import JobErrorCode
from shared.job_store.clock import database_time, time_after
from shared.job_store.transitions import transition
from shared.jobs import JobEvent, JobState, Queue
from shared.tables import Job, WorkerRow

SWEEP_BATCH = 100


def expire_overdue_jobs(session: Session) -> list[Job]:
    """End jobs past their deadline: a waiting one expires, a running one fails.

    `start_by` is kept by the first start; a job that was interrupted later does not break it.
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
    """End jobs that have waited so long for the first start, and ask for a model that no worker has.

    Not while there is no worker at all: then nobody knows what the next ones bring. A job that was
    interrupted waits on, since its model was there.
    """
    due = (
        select(Job.id)
        .where(
            Job.state == JobState.QUEUED.value,
            Job.attempt == 0,
            Job.created_at <= time_after(-wait_seconds),
            Job.model.is_not(None),
            exists().where(WorkerRow.id.is_not(None)),
            ~exists().where(WorkerRow.model["name"].astext == Job.model),
        )
        .limit(SWEEP_BATCH)
        .with_for_update(of=Job, skip_locked=True)
    )
    ids = list(session.scalars(due))
    error = {
        "error_code": JobErrorCode.MODEL_UNAVAILABLE.value,
        "error_message": "No worker has the model that the job asks for.",
    }
    return list(transition(session, JobEvent.EXPIRED, Job.id.in_(ids), error)) if ids else []


def waiting_queues(session: Session) -> dict[Queue, int]:
    """How many jobs could start now, per queue; the sweeper rings the doorbells of these."""
    statement = (
        select(Job.queue, func.count())
        .where(Job.state == JobState.QUEUED.value, Job.available_at <= database_time())
        .group_by(Job.queue)
    )
    return {Queue(queue): count for queue, count in session.execute(statement)}


def queue_position(session: Session, job: Job) -> int:
    """How many jobs of its queue stand before it by priority and age: 0 is next.

    Fairness between projects may let others pass, so it is an estimate.
    """
    statement = select(func.count()).where(
        Job.state == JobState.QUEUED.value,
        Job.queue == job.queue,
        or_(Job.priority < job.priority, and_(Job.priority == job.priority, Job.id < job.id)),
    )
    return session.scalars(statement).one()
