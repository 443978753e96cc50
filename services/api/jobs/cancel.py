"""Cancel a job."""

from uuid import UUID

from sqlalchemy.orm import Session

from services.api.jobs.repository import no_such_job
from shared.job_store import request_cancel
from shared.job_view.read import read_details
from shared.job_view.view import JobRows


def cancel_job(session: Session, project_id: UUID, job_id: UUID) -> JobRows:
    """Request cancellation and return the job; a finished job is returned unchanged. Raises Problem."""
    job = request_cancel(session, project_id, job_id)
    if job is None:
        raise no_such_job()
    return read_details(session, job)
