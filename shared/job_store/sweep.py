"""Periodic checks: expire jobs that can no longer run in time, and find queues with waiting jobs."""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from shared.job_errors import JobErrorCode
from shared.job_store.clock import database_time, statement_time, time_after
from shared.job_store.numerics import lived
from shared.job_store.transitions import transition
from shared.jobs import JobEvent, JobState, Queue
from shared.tables import Job, WaitingLine, WorkerRow
from shared.tables.jobs import DUE_STATES

SWEEP_BATCH = 100
QUEUED = Job.state == JobState.QUEUED.value
READY = and_(QUEUED, Job.blocked_by.is_(None))
BLOCKED = and_(QUEUED, Job.blocked_by.is_not(None))


def expire_overdue_jobs(session: Session) -> list[Job]:
    """End jobs whose deadline has passed: waiting ones expire, running ones fail. Returns the changed jobs.

    Only the first start counts for `start_by`; a job that is interrupted after it may start again later.
    """
    unstarted = and_(QUEUED, Job.attempt == 0, Job.start_by <= statement_time())
    unended = Job.state.in_(sorted(DUE_STATES))
    ids = lock_jobs(session, unstarted, and_(unended, Job.finish_by <= statement_time()))
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
    somewhere = exists().where(WorkerRow.left_at.is_(None), heard)

    def without_worker(model: Any) -> ColumnElement[bool]:
        return and_(somewhere, ~exists().where(WorkerRow.model["name"].astext == model, heard))

    waited = and_(Job.attempt == 0, Job.created_at <= time_after(-wait_seconds))
    lines = select(WaitingLine.id).where(WaitingLine.model != "", without_worker(WaitingLine.model))
    in_line = and_(READY, waited, Job.line.in_(lines))
    blocked = and_(BLOCKED, waited, Job.model.is_not(None), without_worker(Job.model))
    ids = lock_jobs(session, in_line, blocked)
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
    heard = WorkerRow.heartbeat_at > time_after(-wait_seconds)
    somewhere = exists().where(WorkerRow.left_at.is_(None), heard)

    def without_worker(numerics: Any) -> ColumnElement[bool]:
        return and_(somewhere, ~lived(numerics, wait_seconds))

    waited = Job.available_at <= time_after(-wait_seconds)
    wanted = WaitingLine.wanted_numerics
    lines = select(WaitingLine.id).where(wanted != "", without_worker(wanted))
    in_line = and_(READY, Job.attempt == 0, waited, Job.line.in_(lines))
    one = and_(waited, Job.wanted_numerics.is_not(None), without_worker(Job.wanted_numerics))
    ids = lock_jobs(session, in_line, and_(READY, Job.attempt > 0, one), and_(BLOCKED, one))
    error = {
        "error_code": JobErrorCode.NUMERICS_UNAVAILABLE.value,
        "error_message": "No worker has the numerics identity that the job requests.",
    }
    return list(transition(session, JobEvent.EXPIRED, Job.id.in_(ids), error)) if ids else []


def lock_jobs(session: Session, *conditions: ColumnElement[bool]) -> list[UUID]:
    """Lock up to SWEEP_BATCH jobs that meet one of the conditions, each of which is that of an index."""
    ids: list[UUID] = []
    for condition in conditions:
        due = select(Job.id).where(condition, Job.id.not_in(ids)).limit(SWEEP_BATCH - len(ids))
        ids += session.scalars(due.with_for_update(of=Job, skip_locked=True))
    return ids


def waiting_queues(session: Session, most: int = SWEEP_BATCH) -> dict[Queue, int]:
    """Number of jobs in each queue that could start now, counted up to `most`.

    The sweeper rings the doorbells of these queues.
    """
    counts: dict[Queue, int] = {}
    for queue in Queue:
        some = select(Job.id).where(READY, Job.queue == queue.value, Job.available_at <= database_time())
        counts[queue] = session.scalars(select(func.count()).select_from(some.limit(most).subquery())).one()
    return {queue: count for queue, count in counts.items() if count}


def queue_position(session: Session, job: Job) -> int:
    """Number of jobs of the same project and queue that are ahead of the job; 0 means it is the next one.

    Jobs of other projects are not counted, because their number is no business of this project's clients.
    """
    statement = select(func.count()).where(
        Job.project_id == job.project_id,
        READY,
        Job.queue == job.queue,
        or_(Job.priority < job.priority, and_(Job.priority == job.priority, Job.id < job.id)),
    )
    return session.scalars(statement).one()
