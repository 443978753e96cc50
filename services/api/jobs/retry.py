"""Retry an ended job: queue a new job with the same request and the same seed."""

from datetime import datetime
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.jobs.idempotency import request_fingerprint
from services.api.jobs.in_session import refuse_session_job
from services.api.jobs.once import FirstAnswer
from services.api.jobs.repository import read_job
from services.api.jobs.submit import Order, job_receipt, submit
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.job_view.view import JobRows
from shared.jobs import JobState
from shared.links import job_path
from shared.schemas.jobs import JobRequest

RETRYABLE_STATES = frozenset({JobState.FAILED, JobState.EXPIRED, JobState.CANCELED})


async def retry_job(gateway: Gateway, caller: Caller, job_id: UUID, key: str | None) -> FirstAnswer:
    """Queue the request of an ended job again, or return the answer of an earlier call with this key.

    The stored request contains its seed, so the new job draws the same pictures. Raises Problem.
    """
    async with gateway.database.transaction() as session:
        rows = await session.run_sync(read_retryable, caller.project_id, job_id)
    receipt = job_receipt(gateway.settings.gateway.public_url)
    order = Order(
        request_of(rows),
        lambda: request_fingerprint("POST", f"{job_path(job_id)}/retry", {}),
        receipt,
        retry_of=job_id,
    )
    return await submit(gateway, caller, order, key)


def read_retryable(session: Session, project_id: UUID, job_id: UUID) -> JobRows:
    """The job, if it ended without success and belongs to no session. Raises Problem."""
    rows = read_job(session, project_id, job_id)
    refuse_session_job(session, job_id)
    if JobState(rows.job.state) not in RETRYABLE_STATES:
        raise Problem(
            ProblemCode.JOB_NOT_RETRYABLE,
            f"The job is {rows.job.state}; only failed, expired and canceled jobs can be retried.",
            param="job_id",
        )
    return rows


def request_of(rows: JobRows) -> JobRequest:
    """The stored request without the deadlines that have passed. Raises Problem if it is no longer valid."""
    try:
        request = JobRequest.model_validate(rows.request)
    except ValidationError as error:
        raise Problem(
            ProblemCode.JOB_NOT_RETRYABLE,
            "The job's request was stored by another version, and this version does not accept it.",
            param="job_id",
        ) from error
    return request.model_copy(
        update={
            "start_by": in_future(request.start_by, rows.now),
            "finish_by": in_future(request.finish_by, rows.now),
        }
    )


def in_future(deadline: datetime | None, now: datetime | None) -> datetime | None:
    """The deadline; None if it has passed."""
    return None if deadline is None or (now is not None and deadline <= now) else deadline
