"""See which jobs of a batch have ended, and end a batch whose requests are done or which ends early."""

from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from services.api.jobs.finished import problem_of_job
from services.api.openai.batches.line_errors import describe_problem
from services.api.openai.batches.steps import TakenBatch, write
from services.api.openai.wire.routing import as_openai
from services.api.problems.codes import Problem, ProblemCode
from shared.job_store import request_cancel
from shared.job_store.clock import database_time
from shared.jobs import FINAL_STATES, JobState
from shared.tables import BatchState, Job, LineState, OpenAIBatchLine

AT_ONCE = 200
"""Jobs that one step looks at."""
IS_QUEUED = OpenAIBatchLine.state == LineState.QUEUED.value
"""Condition of lines whose job waits or runs."""
DELETED = Problem(ProblemCode.NOT_FOUND, "The job of this request was deleted.", param="job")


def collect_lines(session: Session, batch: TakenBatch) -> int:
    """Note the jobs that have ended, up to AT_ONCE. Returns how many they were. Raises BatchLostError."""
    row = write(session, batch)
    ended = or_(Job.id.is_(None), Job.state.in_([state.value for state in FINAL_STATES]))
    statement = (
        select(OpenAIBatchLine.number, Job)
        .outerjoin(Job, Job.id == OpenAIBatchLine.job_id)
        .where(OpenAIBatchLine.batch_id == batch.row.id, IS_QUEUED, ended)
        .order_by(OpenAIBatchLine.number)
        .limit(AT_ONCE)
    )
    found: list[tuple[int, Job | None]] = [(number, job) for number, job in session.execute(statement)]
    succeeded = [number for number, job in found if job is not None and job.state == JobState.SUCCEEDED]
    change(session, batch.row.id, succeeded, state=LineState.SUCCEEDED.value)
    for number, job in found:
        if number not in succeeded:
            error = describe_problem(as_openai(DELETED if job is None else problem_of_job(job)))
            change(session, batch.row.id, [number], state=LineState.FAILED.value, error=error)
    failed = len(found) - len(succeeded)
    write(session, batch, succeeded=row.succeeded + len(succeeded), failed=row.failed + failed)
    return len(found)


def change(session: Session, batch_id: UUID, numbers: list[int], **values: object) -> None:
    """Change lines of the batch."""
    session.execute(
        update(OpenAIBatchLine)
        .where(OpenAIBatchLine.batch_id == batch_id, OpenAIBatchLine.number.in_(numbers))
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def advance(session: Session, batch: TakenBatch) -> bool:
    """Let the batch expire or go on to its end, if it is time. Returns whether anything has changed.

    Raises BatchLostError.
    """
    row = write(session, batch)
    now = session.scalars(select(database_time())).one()
    if row.ending is None and row.expires_at <= now:
        write(session, batch, ending=BatchState.EXPIRED.value)
        return True
    open_states = [LineState.QUEUED.value, *([LineState.WAITING.value] if row.ending is None else [])]
    left = select(func.count()).where(
        OpenAIBatchLine.batch_id == row.id, OpenAIBatchLine.state.in_(open_states)
    )
    if session.scalars(left).one():
        return False
    write(session, batch, state=BatchState.FINALIZING.value, finalizing_at=database_time())
    return True


def cancel_jobs(session: Session, batch: TakenBatch) -> None:
    """Cancel open jobs of a batch that ends early, up to AT_ONCE; repeating this changes nothing more."""
    open_jobs = (
        select(OpenAIBatchLine.job_id)
        .join(Job, Job.id == OpenAIBatchLine.job_id)
        .where(
            OpenAIBatchLine.batch_id == batch.row.id,
            IS_QUEUED,
            Job.state.in_([JobState.QUEUED.value, JobState.RUNNING.value]),
        )
        .limit(AT_ONCE)
    )
    for job_id in session.scalars(open_jobs).all():
        if job_id is not None:
            request_cancel(session, batch.row.project_id, job_id)
