"""Accept a job: claim the idempotency key, store its images, queue it, ring the doorbell."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.api.addresses import job_url
from services.api.api_keys import Caller
from services.api.gateway import Gateway
from services.api.idempotency import (
    Claim,
    RecordedAnswer,
    claim_key,
    record_answer,
    release_key,
    request_fingerprint,
)
from services.api.image_sources import with_stored_images
from services.api.job_preparation import choose_seed, complete_request, new_job
from services.api.job_reading import read_details
from services.api.job_view import view_job
from services.api.models_reading import living_workers
from services.api.offers import check_offers
from services.api.problems import Problem, ProblemCode
from shared.ids import IdKind, parse_id
from shared.job_store import NewJob, submit_job
from shared.jobs import JobState
from shared.schemas.jobs import JobRequest, JobWebhook
from shared.tables import Job, Project, WebhookEndpoint

ACCEPTED = 202
POLL_AFTER_SECONDS = "1"
QUOTA_RETRY_SECONDS = "10"


@dataclass(frozen=True)
class Submission:
    """A queued job and the answer that tells of it."""

    job_id: UUID
    answer: RecordedAnswer
    replayed: bool
    """Whether an earlier request with the same key has queued it."""


async def submit(gateway: Gateway, caller: Caller, request: JobRequest, key: str | None) -> Submission:
    """Queue the job, or find the one that the same request with this key has queued. Raises Problem."""
    completed = complete_request(request, choose_seed())
    if key is None:
        return await queue(gateway, caller, completed, None)
    fingerprint = request_fingerprint("POST", "/v1/jobs", request.model_dump(mode="json"))
    async with gateway.database.transaction() as session:
        claim = await session.run_sync(claim_key, caller.project_id, key, fingerprint)
    if isinstance(claim, RecordedAnswer):
        return Submission(parse_id(IdKind.JOB, claim.body["id"]), claim, replayed=True)
    async with AsyncExitStack() as undo:
        undo.push_async_callback(release, gateway, claim)
        submission = await queue(gateway, caller, completed, claim)
        undo.pop_all()
        return submission


async def release(gateway: Gateway, claim: Claim) -> None:
    """Free the key of a request that was refused."""
    async with gateway.database.transaction() as session:
        await session.run_sync(release_key, claim)


async def queue(gateway: Gateway, caller: Caller, request: JobRequest, claim: Claim | None) -> Submission:
    """Store images that came with the request, insert the job, then ring."""
    async with gateway.database.transaction() as session:
        workers = await session.run_sync(living_workers, gateway.settings.jobs.lease_seconds)
    check_offers([worker.model for worker in workers], request)
    request = await with_stored_images(gateway, caller, request)
    job = new_job(caller.project_id, request, gateway.settings.jobs.max_failures)
    limit = caller.max_queued_jobs or gateway.settings.gateway.max_queued_jobs
    async with gateway.database.transaction() as session:
        await session.run_sync(check_quota, caller.project_id, limit)
        submission = await session.run_sync(
            insert, job, request.webhook, claim, gateway.settings.gateway.public_url
        )
    gateway.doorbell.ring(job.queue)
    gateway.metrics.jobs.labels(job.task).inc()
    return submission


def check_quota(session: Session, project_id: UUID, limit: int) -> None:
    """Refuse when the project has `limit` waiting jobs. Requests at the same moment may pass it by a few."""
    waiting = select(func.count()).where(Job.project_id == project_id, Job.state == JobState.QUEUED.value)
    if session.scalars(waiting).one() >= limit:
        raise Problem(
            ProblemCode.TOO_MANY_QUEUED_JOBS,
            f"The project has {limit} waiting jobs, its limit.",
            headers={"Retry-After": QUOTA_RETRY_SECONDS},
        )


def insert(
    session: Session, new: NewJob, webhook: JobWebhook | None, claim: Claim | None, public_url: str
) -> Submission:
    """Insert the job and, in the same transaction, the answer under the request's key."""
    job = submit_job(session, new, webhook_endpoint(session, new.project_id, webhook))
    body = view_job(read_details(session, job), public_url).model_dump(mode="json")
    headers = {"Location": job_url(public_url, job.id), "Retry-After": POLL_AFTER_SECONDS}
    answer = RecordedAnswer(ACCEPTED, headers, body)
    if claim is not None:
        record_answer(session, claim, job.id, answer)
    return Submission(job.id, answer, replayed=False)


def webhook_endpoint(
    session: Session, project_id: UUID, webhook: JobWebhook | None
) -> WebhookEndpoint | None:
    """The endpoint of this job alone, signed with the project's secret."""
    if webhook is None:
        return None
    project = session.get_one(Project, project_id)
    return WebhookEndpoint(
        project_id=project_id,
        url=str(webhook.url),
        event_types=list(webhook.events),
        secret=project.webhook_secret,
    )
