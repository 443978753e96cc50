"""The rules of fairness as one sort over all waiting jobs, and the invariant of their lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Float, and_, case, cast, exists, false, func, or_, select, text
from sqlalchemy.orm import Session

from shared.database import Database
from shared.job_store.clock import database_time, time_after
from shared.job_store.numerics import PREFERENCE_SECONDS
from shared.jobs import ACTIVE_STATES, JobState, Queue
from shared.tables import Job, Project, WorkerRow

LEFT_OUT = text("""
    SELECT job.id FROM jobs job LEFT JOIN waiting_lines line ON line.id = job.line
    WHERE job.state = 'queued' AND job.blocked_by IS NULL AND job.attempt = 0
        AND (line.id IS NULL OR line.head > job.id
            OR (line.project_id, line.queue, line.priority) <> (job.project_id, job.queue, job.priority)
            OR (line.model, line.wanted_numerics)
                <> (coalesce(job.model, ''), coalesce(job.wanted_numerics, '')))
""")
"""Waiting jobs that claims would not find, or not in time: without a line, or in front of its head."""


@dataclass(frozen=True)
class Asker:
    """A free slot, and the project that it served before with its last `in_a_row` jobs."""

    queues: Sequence[Queue]
    just_served: UUID | None
    model: str | None
    numerics: str | None
    in_a_row: int = 1


def fairest_by_sorting(session: Session, asker: Asker, wait_seconds: float) -> UUID | None:
    """The job that the slot must get, if no other claim is running."""
    running = (
        select(Job.project_id, func.count().label("jobs"))
        .where(Job.state.in_(sorted(ACTIVE_STATES)))
        .group_by(Job.project_id)
        .cte("running")
    )
    count = func.coalesce(running.c.jobs, 0)
    served = false() if asker.just_served is None else Job.project_id == asker.just_served
    turn_is_over = asker.in_a_row % Project.weight == 0
    load = case(
        (and_(served, ~turn_is_over, count == 0), -1.0),
        else_=cast(count, Float) / Project.weight,
    )
    begun_with = func.coalesce(Job.checkpoint_numerics, Job.numerics)
    is_own = or_(begun_with.is_(None), begun_with.is_not_distinct_from(asker.numerics))
    its_worker = exists().where(
        WorkerRow.numerics == begun_with,
        WorkerRow.heartbeat_at > time_after(-wait_seconds),
        Job.queue == func.any(WorkerRow.queues),
    )
    unsaved_long_ago = and_(
        Job.checkpoint_numerics.is_(None), Job.available_at <= time_after(-PREFERENCE_SECONDS)
    )
    statement = (
        select(Job.id)
        .join(Project, Project.id == Job.project_id)
        .outerjoin(running, running.c.project_id == Job.project_id)
        .where(
            or_(Project.max_running_jobs.is_(None), count < Project.max_running_jobs),
            Job.state == JobState.QUEUED.value,
            Job.blocked_by.is_(None),
            Job.queue.in_([queue.value for queue in asker.queues]),
            Job.available_at <= database_time(),
            or_(Job.model.is_(None), Job.model == asker.model),
            or_(Job.attempt > 0, Job.start_by.is_(None), Job.start_by > database_time()),
            or_(Job.finish_by.is_(None), Job.finish_by > database_time()),
            or_(Job.wanted_numerics.is_(None), Job.wanted_numerics == asker.numerics),
            or_(is_own, unsaved_long_ago, ~its_worker),
        )
        .order_by(
            Job.priority,
            load,
            case((and_(served, turn_is_over), 1), else_=0),
            case((is_own, 0), else_=1),
            Job.id,
        )
        .limit(1)
    )
    return session.scalar(statement)


def assert_every_job_is_in_line(database: Database) -> None:
    """Each job that waits for its first start is in the line of its kind, and not in front of its head."""
    with database.transaction() as session:
        assert session.scalars(LEFT_OUT).all() == []
