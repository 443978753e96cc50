"""Read one job or a page of jobs of a project, with a fixed number of SQL statements."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.problems.codes import Problem, ProblemCode
from shared.job_view.read import collect, read_details
from shared.job_view.view import JobRows, Page
from shared.jobs import FINAL_STATES, JobState
from shared.tables import Job
from shared.tasks import Task


@dataclass(frozen=True)
class JobFilter:
    """Filter of a list of jobs; an empty sequence means no filter."""

    states: Sequence[JobState] = ()
    tasks: Sequence[Task] = ()


def read_job(session: Session, project_id: UUID, job_id: UUID) -> JobRows:
    """One job, with its position in the queue while it waits. Raises Problem."""
    job = session.scalars(select(Job).where(Job.id == job_id, Job.project_id == project_id)).first()
    if job is None:
        raise no_such_job()
    return read_details(session, job)


def no_such_job() -> Problem:
    """Problem of an unknown job; the same for a job of another project."""
    return Problem(ProblemCode.NOT_FOUND, "There is no job with this id.", param="job_id")


def is_final(session: Session, project_id: UUID, job_id: UUID) -> bool:
    """Whether the project's job has ended or was deleted."""
    state = session.scalar(select(Job.state).where(Job.id == job_id, Job.project_id == project_id))
    return state is None or JobState(state) in FINAL_STATES


def list_jobs(
    session: Session, project_id: UUID, wanted: JobFilter, older_than: UUID | None, limit: int
) -> Page:
    """A page of jobs, newest first. Ids rise with time, so `older_than` is the last id of the previous page.

    Positions in the queue are left out, because each would need a count.
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
