"""Cancel a job and show how it then stands."""

from uuid import UUID

from sqlalchemy.orm import Session

from services.api.job_reading import no_such_job, read_details
from services.api.job_view import JobRows
from shared.job_store import request_cancel


def cancel_job(session: Session, project_id: UUID, job_id: UUID) -> JobRows:
    """The job after the wish to cancel it, which an ended job does not heed. Raises Problem."""
    job = request_cancel(session, project_id, job_id)
    if job is None:
        raise no_such_job()
    return read_details(session, job)
