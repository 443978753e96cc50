"""Read what estimates of open jobs follow from, and write them.

Only the estimates themselves are shown to clients: the seconds until a job is done say how long the line is,
and nothing about whose jobs are in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.job_store.clock import database_time, time_after
from shared.job_store.records import Share
from shared.jobs import ACTIVE_STATES, JobState
from shared.tables import Job, JobEstimate, JobRequestRow, Project, WorkerRow

MOST_OF_A_PROJECT = 200
"""Waiting jobs of one project that get an estimate."""
RECENT = 200
"""Ended jobs from which speeds and errors are learned."""
RECENT_TIME = timedelta(days=-7)
"""Jobs that are older than this are too old to learn from."""
FEWEST = 20
"""With fewer compared estimates, the prior is used."""
STEADY_SECONDS, STEADY_SHARE = 1.0, 0.1
"""An estimate is written again when it has moved by more than so much."""


@dataclass(frozen=True)
class Quantiles:
    """By what to multiply a forecast so that it holds in half of the cases, and in nine of ten."""

    p50: float
    p90: float


PRIORS = {JobState.QUEUED: Quantiles(1.0, 2.0), JobState.RUNNING: Quantiles(1.0, 1.5)}
"""Before there are enough compared estimates."""


@dataclass(frozen=True)
class JobInLine:
    """A job that has not ended; from its request the size, and the number of candidates to draw, if named."""

    job: Job
    size: str | None
    best_of: int


@dataclass(frozen=True)
class Forecast:
    """A job, its state, and the seconds until it is done, as forecast."""

    job_id: UUID
    state: JobState
    seconds: float


def live_workers(session: Session, lease_seconds: float) -> Sequence[WorkerRow]:
    """The workers that claim jobs now."""
    alive = (
        WorkerRow.left_at.is_(None),
        WorkerRow.draining.is_(False),
        WorkerRow.heartbeat_at > time_after(-lease_seconds),
    )
    return session.scalars(select(WorkerRow).where(*alive).order_by(WorkerRow.id)).all()


def open_jobs(session: Session) -> list[JobInLine]:
    """The running jobs, and the first waiting ones of each project, oldest first, with size and `best_of`."""
    place = func.row_number().over(partition_by=Job.project_id, order_by=(Job.priority, Job.id))
    # the condition in two parts is that of two indexes
    ready = and_(Job.state == JobState.QUEUED.value, Job.blocked_by.is_(None))
    line = select(Job.id, place.label("place")).where(or_(ready, Job.blocked_by.is_not(None)))
    first = line.subquery("waiting")
    waiting = select(first.c.id).where(first.c.place <= MOST_OF_A_PROJECT)
    active = select(Job.id).where(Job.state.in_(sorted(ACTIVE_STATES)))
    request = JobRequestRow.request
    statement = (
        select(Job, request["size"].astext, request["best_of"].astext)
        .join(JobRequestRow, JobRequestRow.job_id == Job.id)
        .where(Job.id.in_(waiting.union_all(active)))
        .order_by(Job.id)
    )
    return [JobInLine(job, size, int(best_of or 0)) for job, size, best_of in session.execute(statement)]


def special_shares(session: Session) -> dict[UUID, Share]:
    """The shares of projects that have a weight or a limit of running jobs."""
    special = or_(Project.weight != 1, Project.max_running_jobs.is_not(None))
    rows = session.execute(select(Project.id, Project.weight, Project.max_running_jobs).where(special))
    return {project_id: Share(weight, most) for project_id, weight, most in rows}


def seconds_per_token(session: Session) -> dict[tuple[str, str], float]:
    """By numerics identity and task: the median of the last jobs, from start to end."""
    last = (
        select(Job)
        .where(
            Job.state == JobState.SUCCEEDED.value,
            Job.attempt == 1,
            Job.tokens_total > 0,
            Job.numerics.is_not(None),
            Job.id > func.uuidv7(RECENT_TIME),
        )
        .order_by(Job.id.desc())
        .limit(RECENT)
        .subquery("last")
    )
    pace = func.extract("epoch", last.c.finished_at - last.c.started_at) / last.c.tokens_total
    median = func.percentile_cont(0.5).within_group(pace)
    statement = select(last.c.numerics, last.c.task, median).group_by(last.c.numerics, last.c.task)
    return {(numerics, task): float(value) for numerics, task, value in session.execute(statement)}


def learned_quantiles(session: Session) -> dict[JobState, Quantiles]:
    """By state at the first estimate: quantiles of the real time over the forecast one."""
    since_waiting = errors(JobEstimate.created_at, JobEstimate.waiting_base)
    since_running = errors(JobEstimate.running_at, JobEstimate.running_base)
    return {
        JobState.QUEUED: quantiles_of(session, since_waiting, PRIORS[JobState.QUEUED]),
        JobState.RUNNING: quantiles_of(session, since_running, PRIORS[JobState.RUNNING]),
    }


def errors(since: Any, base: Any) -> Any:
    """The real time over the forecast one, for the last jobs that succeeded."""
    return (
        select((func.extract("epoch", Job.finished_at - since) / base).label("ratio"))
        .join_from(JobEstimate, Job, Job.id == JobEstimate.job_id)
        .where(
            Job.state == JobState.SUCCEEDED.value,
            JobEstimate.created_at > database_time() + RECENT_TIME,
            base > 0,
            since <= Job.finished_at,
        )
        .order_by(JobEstimate.created_at.desc())
        .limit(RECENT)
        .subquery("errors")
    )


def quantiles_of(session: Session, ratios: Any, prior: Quantiles) -> Quantiles:
    """The quantiles; the prior if there are too few."""
    p50, p90, count = session.execute(
        select(
            func.percentile_cont(0.5).within_group(ratios.c.ratio),
            func.percentile_cont(0.9).within_group(ratios.c.ratio),
            func.count(),
        )
    ).one()
    return prior if count < FEWEST else Quantiles(float(p50), max(float(p50), float(p90)))


def write_estimates(
    session: Session, forecasts: Iterable[Forecast], quantiles: Mapping[JobState, Quantiles]
) -> int:
    """Write the estimates that are new or have moved; returns their number."""
    forecasts = list(forecasts)
    ids = [one.job_id for one in forecasts]
    now = session.scalars(select(database_time())).one()
    known = {
        row.job_id: row for row in session.scalars(select(JobEstimate).where(JobEstimate.job_id.in_(ids)))
    }
    changed = [
        values
        for one in forecasts
        if (values := changed_values(now, one, quantiles[one.state], known.get(one.job_id))) is not None
    ]
    if not changed:
        return 0
    statement = insert(JobEstimate).values(changed)
    fresh = statement.excluded
    keep = ("running_at", "running_base", "running_p50", "running_p90")
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[JobEstimate.job_id],
            set_={
                "done_p50": fresh.done_p50,
                "done_p90": fresh.done_p90,
                **{name: func.coalesce(getattr(JobEstimate, name), fresh[name]) for name in keep},
            },
        )
    )
    return len(changed)


def changed_values(
    now: datetime, one: Forecast, quantiles: Quantiles, known: JobEstimate | None
) -> dict[str, Any] | None:
    """The row to write; None if the known one still holds."""
    p50, p90 = one.seconds * quantiles.p50, one.seconds * quantiles.p90
    done_p50, done_p90 = now + timedelta(seconds=p50), now + timedelta(seconds=p90)
    is_running = one.state is JobState.RUNNING
    if known is not None and not (is_running and known.running_at is None):
        moved = abs((done_p50 - known.done_p50).total_seconds()) + abs(
            (done_p90 - known.done_p90).total_seconds()
        )
        if moved <= max(STEADY_SECONDS, STEADY_SHARE * (p50 + p90)):
            return None
    state, other = ("running", "waiting") if is_running else ("waiting", "running")
    return {
        "job_id": one.job_id,
        "done_p50": done_p50,
        "done_p90": done_p90,
        "created_at": now,
        "running_at": now if is_running else None,
        f"{state}_base": one.seconds,
        f"{state}_p50": p50,
        f"{state}_p90": p90,
        **dict.fromkeys((f"{other}_base", f"{other}_p50", f"{other}_p90")),
    }


def read_estimates(session: Session, jobs: Iterable[Job]) -> dict[UUID, JobEstimate]:
    """The estimates of those of the jobs that have not ended."""
    unended = {JobState.QUEUED, JobState.RUNNING}
    ids = [job.id for job in jobs if job.state in unended]
    if not ids:
        return {}
    found = session.scalars(select(JobEstimate).where(JobEstimate.job_id.in_(ids)))
    return {row.job_id: row for row in found}


def delete_old_estimates(session: Session, seconds: float) -> None:
    """Delete estimates that began so long ago, unless their jobs still wait or run."""
    unended = select(Job.id).where(
        Job.id == JobEstimate.job_id, Job.state.in_(sorted({JobState.QUEUED, *ACTIVE_STATES}))
    )
    old: ColumnElement[bool] = and_(JobEstimate.created_at < time_after(-seconds), ~unended.exists())
    session.execute(delete(JobEstimate).where(old).execution_options(synchronize_session=False))
