"""Read everything of jobs that a response shows, with a fixed number of SQL statements."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.job_store import queue_position
from shared.job_store.clock import database_time
from shared.job_store.estimates import read_estimates
from shared.job_view.outputs import read_outputs
from shared.job_view.replays import read_replays
from shared.job_view.view import JobRows
from shared.jobs import JobState
from shared.tables import Job, JobRequestRow, UndecodedPicture, UsageRecord


def read_details(session: Session, job: Job) -> JobRows:
    """The job with its request, outputs, usage and position in the queue."""
    return collect(session, [job], queue_positions(session, [job]))[0]


def queue_positions(session: Session, jobs: Sequence[Job]) -> dict[UUID, int | None]:
    """The position of each waiting job in its queue; jobs that are blocked or do not wait have none."""
    waiting = [job for job in jobs if job.state == JobState.QUEUED and job.blocked_by is None]
    return {job.id: queue_position(session, job) for job in waiting}


def collect(session: Session, jobs: Sequence[Job], positions: dict[UUID, int | None]) -> list[JobRows]:
    """The jobs in the same order, each with its request, outputs and usage."""
    ids = [job.id for job in jobs]
    requests = session.scalars(select(JobRequestRow).where(JobRequestRow.job_id.in_(ids)))
    request_of = {row.job_id: row for row in requests}
    usages = session.scalars(select(UsageRecord).where(UsageRecord.job_id.in_(ids)))
    usage_of = {usage.job_id: usage for usage in usages}
    outputs_of = read_outputs(session, ids)
    undecoded = select(UndecodedPicture.job_id).where(UndecodedPicture.job_id.in_(ids))
    pending = frozenset(session.scalars(undecoded))
    retries_of = read_retries(session, ids)
    estimate_of = read_estimates(session, jobs)
    replays = read_replays(session, jobs, request_of)
    now = session.scalars(select(database_time())).one()
    return [
        JobRows(
            job,
            request_of[job.id].request,
            outputs_of[job.id],
            usage_of.get(job.id),
            positions.get(job.id),
            now,
            undecoded=job.id in pending,
            mask=request_of[job.id].mask,
            estimate=estimate_of.get(job.id),
            retry_of=request_of[job.id].retry_of,
            retries=retries_of[job.id],
            replay=replays.get(job.id),
            warnings=request_of[job.id].warnings,
        )
        for job in jobs
    ]


def read_retries(session: Session, job_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """The jobs that repeat each job, oldest first."""
    statement = (
        select(JobRequestRow.retry_of, JobRequestRow.job_id)
        .where(JobRequestRow.retry_of.in_(job_ids))
        .order_by(JobRequestRow.job_id)
    )
    retries: dict[UUID, list[UUID]] = defaultdict(list)
    for first, retry in session.execute(statement):
        if first is not None:
            retries[first].append(retry)
    return retries
