"""The newest job that a caller has begun at /sdapi/v1 and that has not ended."""

from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from services.api.audit.requests import JOB_CANCELED, record_if_written
from services.api.jobs.cancel import cancel_job
from services.api.jobs.repository import read_job
from services.api.sdapi.info import TIMESTAMP
from services.api.sdapi.responses import Progress, ProgressState
from services.api.sdapi.translate import USER_LABEL
from shared.ids import IdKind, format_id
from shared.job_view.view import JobRows, view_job
from shared.jobs import ACTIVE_STATES, JobState
from shared.tables import Job, JobRequestRow


def find_newest(session: Session, project_id: UUID, user: str) -> UUID | None:
    """The id of the user's newest job that waits or runs; None if there is none.

    The jobs that wait and those that run are found by their own indexes, before they are sorted.
    """
    waiting, running = Job.state == JobState.QUEUED.value, Job.state.in_(sorted(ACTIVE_STATES))
    open_jobs = (
        select(Job.id)
        .where(Job.project_id == project_id, or_(waiting, running))
        .cte("open_jobs")
        .prefix_with("MATERIALIZED")
    )
    label = JobRequestRow.request["metadata"][USER_LABEL].astext
    statement = (
        select(open_jobs.c.id)
        .join(JobRequestRow, JobRequestRow.job_id == open_jobs.c.id)
        .where(label == user)
        .order_by(open_jobs.c.id.desc())
        .limit(1)
    )
    return session.scalar(statement)


def read_newest(session: Session, project_id: UUID, user: str) -> JobRows | None:
    """The user's newest job that waits or runs."""
    job_id = find_newest(session, project_id, user)
    return None if job_id is None else read_job(session, project_id, job_id)


def cancel_newest(session: Session, project_id: UUID, user: str) -> None:
    """Cancel the user's newest job that waits or runs, if there is one."""
    job_id = find_newest(session, project_id, user)
    if job_id is not None:
        cancel_job(session, project_id, job_id)
        record_if_written(session, JOB_CANCELED, format_id(IdKind.JOB, job_id))


def progress_of(rows: JobRows | None, public_url: str, preview: str | None) -> Progress:
    """The progress of a job; that of an idle server for None. preview: a picture in base64."""
    if rows is None:
        return Progress()
    job = view_job(rows, public_url)
    done, total = job.progress.tokens_done, job.progress.tokens_total
    return Progress(
        progress=done / total if total else 0.0,
        eta_relative=job.progress.eta_p50 or job.progress.eta_seconds or 0.0,
        state=ProgressState(
            interrupted=job.status is JobState.CANCELING,
            job=job.id,
            job_count=1,
            job_timestamp=job.created_at.strftime(TIMESTAMP),
            sampling_step=done,
            sampling_steps=total,
        ),
        current_image=preview,
        textinfo=job.progress.phase or job.status.value,
    )
