"""Queue the job of a request for pictures, once for all repetitions of the request."""

from dataclasses import dataclass
from uuid import UUID

from fastapi import Request
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.jobs.idempotency import RecordedAnswer
from services.api.jobs.submit import ACCEPTED, Order, submit
from services.api.openai.wire.retries import retry_key
from services.api.process.gateway import Gateway
from shared.schemas.jobs import JobRequest
from shared.tables import Job


@dataclass(frozen=True)
class Asked:
    """A request of a client: what makes it the same as a repeated one."""

    request: Request
    caller: Caller
    digest: bytes
    """`retries.body_digest` of the body."""
    key: str | None
    """The Idempotency-Key, which few of these clients send."""


async def queue_once(gateway: Gateway, asked: Asked, job: JobRequest) -> UUID:
    """Queue the job, or find the one that an earlier try of the request has queued. Raises Problem."""
    key = await retry_key(gateway, asked.caller, asked.request, asked.digest, asked.key)
    first = await submit(gateway, asked.caller, Order(job, lambda: asked.digest, receipt), key)
    if first.answer.job_id is None:
        raise RuntimeError("the answer of a submission names no job")
    return first.answer.job_id


def receipt(_: Session, job: Job) -> RecordedAnswer:
    """The recorded answer names the job alone: the pictures are read when it has ended."""
    return RecordedAnswer(ACCEPTED, {}, {}, job.id)
