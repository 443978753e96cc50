"""Read jobs of a project, one or a page, in a fixed number of statements."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.job_view import JobRows, OutputRows, Page
from services.api.problems import Problem, ProblemCode
from shared.job_store import queue_position
from shared.jobs import FINAL_STATES, JobState
from shared.schemas.jobs import Task
from shared.tables import Candidate, Image, ImageTokens, Job, JobRequestRow, UsageRecord


@dataclass(frozen=True)
class JobFilter:
    """Which jobs a list shows; empty means all."""

    states: Sequence[JobState] = ()
    tasks: Sequence[Task] = ()


def read_job(session: Session, project_id: UUID, job_id: UUID) -> JobRows:
    """One job, with its place in the queue while it waits. Raises Problem."""
    job = session.scalars(select(Job).where(Job.id == job_id, Job.project_id == project_id)).first()
    if job is None:
        raise no_such_job()
    return read_details(session, job)


def no_such_job() -> Problem:
    """The same refusal whether the job does not exist or belongs to another project."""
    return Problem(ProblemCode.NOT_FOUND, "There is no job of this id.")


def read_details(session: Session, job: Job) -> JobRows:
    """What belongs to the job."""
    position = queue_position(session, job) if job.state == JobState.QUEUED else None
    return collect(session, [job], {job.id: position})[0]


def is_final(session: Session, job_id: UUID) -> bool:
    """Whether the job has ended, or is no more."""
    state = session.scalar(select(Job.state).where(Job.id == job_id))
    return state is None or JobState(state) in FINAL_STATES


def list_jobs(
    session: Session, project_id: UUID, wanted: JobFilter, older_than: UUID | None, limit: int
) -> Page:
    """A page of jobs; ids rise with time, so the last id of a page is where the next one begins.

    Places in the queue are left out: each would cost a count.
    """
    statement = select(Job).where(Job.project_id == project_id).order_by(Job.id.desc()).limit(limit + 1)
    if older_than is not None:
        statement = statement.where(Job.id < older_than)
    if wanted.states:
        statement = statement.where(Job.state.in_([state.value for state in wanted.states]))
    if wanted.tasks:
        statement = statement.where(Job.task.in_([task.value for task in wanted.tasks]))
    jobs = session.scalars(statement).all()
    return Page(collect(session, jobs[:limit], {}), len(jobs) > limit)


def collect(session: Session, jobs: Sequence[Job], positions: dict[UUID, int | None]) -> list[JobRows]:
    """Add requests, outputs and usage to the jobs, in their order."""
    ids = [job.id for job in jobs]
    requests = select(JobRequestRow.job_id, JobRequestRow.request).where(JobRequestRow.job_id.in_(ids))
    request_of = dict(session.execute(requests).all())
    usages = session.scalars(select(UsageRecord).where(UsageRecord.job_id.in_(ids)))
    usage_of = {usage.job_id: usage for usage in usages}
    outputs_of = read_outputs(session, ids)
    return [
        JobRows(job, request_of[job.id], outputs_of[job.id], usage_of.get(job.id), positions.get(job.id))
        for job in jobs
    ]


def read_outputs(session: Session, job_ids: Sequence[UUID]) -> dict[UUID, list[OutputRows]]:
    """The candidates of each job in their order.

    A picture's first grid is the one that it was drawn from; later ones are encodings at other sizes.
    """
    first_grid = (
        select(ImageTokens.sha256)
        .where(ImageTokens.image_id == Image.id)
        .order_by(ImageTokens.created_at)
        .limit(1)
        .scalar_subquery()
    )
    statement = (
        select(Candidate, Image, first_grid)
        .join(Image, Image.id == Candidate.image_id)
        .where(Candidate.job_id.in_(job_ids))
        .order_by(Candidate.job_id, Candidate.position)
    )
    outputs: dict[UUID, list[OutputRows]] = defaultdict(list)
    for candidate, image, tokens_sha256 in session.execute(statement):
        outputs[candidate.job_id].append(OutputRows(candidate, image, tokens_sha256))
    return outputs
