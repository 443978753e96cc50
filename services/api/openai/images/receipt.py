"""What is recorded of a request that has queued a job: the job alone, whose pictures are read at its end."""

from uuid import UUID

from sqlalchemy.orm import Session

from services.api.jobs.idempotency import RecordedAnswer
from services.api.jobs.once import FirstAnswer
from services.api.jobs.submit import ACCEPTED
from shared.tables import Job


def receipt(_: Session, job: Job) -> RecordedAnswer:
    """The recorded answer."""
    return RecordedAnswer(ACCEPTED, {}, {}, job.id)


def job_of(first: FirstAnswer) -> UUID:
    """The job that the first request has queued."""
    if first.answer.job_id is None:
        raise RuntimeError("the answer of a submission names no job")
    return first.answer.job_id
