"""Accept a job: claim the idempotency key, check the request, store its images, queue it, ring the doorbell.

A refused job leaves no row and no object. Images are stored after all checks except one: the limit of waiting
jobs is checked again in the transaction that queues the job, where it is exact.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import httpx2
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.api.auth.api_keys import Caller
from services.api.images.provisional import keep_images, provisionally_stored
from services.api.images.sources import read_sources, with_ids
from services.api.jobs.admission import check_numerics, check_offers
from services.api.jobs.aspect_ratio import with_size
from services.api.jobs.check_mask import check_mask
from services.api.jobs.deadlines import check_deadlines
from services.api.jobs.given_image import no_picture, resolve_image
from services.api.jobs.idempotency import Claim, RecordedAnswer, record_answer, request_fingerprint
from services.api.jobs.once import FirstAnswer, do_once
from services.api.jobs.prepare import check_shape, choose_seed, complete_request, new_job
from services.api.jobs.token_controls import resolve_controls
from services.api.jobs.warn import warnings_of
from services.api.models.repository import latest_workers, living_workers
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from services.api.process.submission_turns import take_turn
from services.api.process.webhook_urls import check_webhook_url
from services.api.quotas.usage import check_pictures, check_storage, seconds_until_start
from shared.job_store import NewJob, NoPictureError, recent_numerics, submit_job
from shared.job_view.read import read_details
from shared.job_view.view import view_job
from shared.jobs import JobState
from shared.links import job_url
from shared.schemas.jobs import JobRequest, JobWebhook
from shared.tables import Job, Project, WebhookEndpoint
from shared.tracing.contexts import JobTrace, current_traceparent

ACCEPTED = 202
POLL_AFTER_SECONDS = "1"


Receipt = Callable[[Session, Job], RecordedAnswer]
"""Writes what belongs to a job into the transaction that queues it, and returns the answer to the client."""


@dataclass(frozen=True)
class Order:
    """A job that a route wants queued.

    fingerprint: computes `request_fingerprint` of the route's own request. retry_of: the ended job that this
    one repeats.
    """

    request: JobRequest
    fingerprint: Callable[[], bytes]
    receipt: Receipt
    retry_of: UUID | None = None
    replay_of: UUID | None = None
    """The finished job that this one draws again."""


async def submit(gateway: Gateway, caller: Caller, order: Order, key: str | None) -> FirstAnswer:
    """Queue the job, or return the answer of the request that queued it with this key. Raises Problem."""
    return await do_once(
        gateway, caller, key, order.fingerprint, lambda claim: queue(gateway, caller, order, claim)
    )


async def queue(gateway: Gateway, caller: Caller, order: Order, claim: Claim | None) -> RecordedAnswer:
    """Check the request, store its images, insert the job, then ring the doorbell. Raises Problem."""
    limit = caller.limits.queued_jobs or gateway.settings.gateway.max_queued_jobs
    if order.retry_of is None and order.replay_of is None:
        check_shape(order.request)
    request = order.request
    async with gateway.database.transaction() as session:
        await session.run_sync(check_quota, caller.project_id, limit)
        await session.run_sync(check_storage, caller.project_id, caller.limits)
        await session.run_sync(check_deadlines, request)
        workers = await session.run_sync(living_workers, gateway.settings.jobs.lease_seconds)
        recent = await session.run_sync(recent_numerics, gateway.settings.jobs.model_wait_seconds)
        latest = [] if workers else await session.run_sync(latest_workers)
        request = await session.run_sync(resolve_image, caller.project_id, request)
        request = await session.run_sync(resolve_controls, caller.project_id, request)
    offers = [worker.model for worker in workers]
    noises = [worker.model.get("numerics", {}).get("noise") for worker in workers or latest]
    request = with_size(complete_request(request, choose_seed(noises)), offers)
    check_offers(offers, request)
    check_numerics(offers, recent, request)
    if request.webhook is not None:
        check_webhook_url(gateway.webhook_guard, str(request.webhook.url), "webhook.url")
    pictures = await read_sources(gateway, caller, request)
    mask = await check_mask(gateway, caller, request, pictures, offers)
    async with (
        provisionally_stored(gateway, caller.project_id, pictures) as ids,
        gateway.turns.turn(caller.project_id),
        gateway.database.transaction() as session,
    ):
        job = new_job(
            caller.project_id,
            with_ids(request, ids),
            gateway.settings.jobs.max_failures,
            mask,
            api_key_id=caller.key_id,
            warnings=warnings_of([worker.model for worker in workers or latest], request),
            retry_of=order.retry_of,
            replay_of=order.replay_of,
        )
        await session.run_sync(take_turn, caller.project_id)
        await session.run_sync(check_quota, caller.project_id, limit)
        await session.run_sync(check_pictures, caller.project_id, caller.limits, job.candidates)
        await session.run_sync(keep_images, list(ids.values()))
        answer = await session.run_sync(insert, job, request.webhook, claim, order.receipt)
    trace = None if answer.job_id is None else JobTrace.of(answer.job_id, current_traceparent())
    gateway.doorbell.ring(job.queue, trace)
    gateway.metrics.jobs.labels(job.task).inc()
    return answer


def order_job(request: JobRequest, public_url: str) -> Order:
    """The order of a request to `POST /v1/jobs`; its answer is the job."""

    def fingerprint() -> bytes:
        return request_fingerprint("POST", "/v1/jobs", request.model_dump(mode="json"))

    return Order(request, fingerprint, job_receipt(public_url))


def job_receipt(public_url: str) -> Receipt:
    """The receipt of a job that belongs to nothing else: 202 with the job."""

    def receipt(session: Session, job: Job) -> RecordedAnswer:
        body = view_job(read_details(session, job), public_url).model_dump(mode="json")
        headers = {"Location": job_url(public_url, job.id), "Retry-After": POLL_AFTER_SECONDS}
        return RecordedAnswer(ACCEPTED, headers, body, job.id)

    return receipt


def check_quota(session: Session, project_id: UUID, limit: int) -> None:
    """Raise Problem if the project has `limit` waiting jobs. Exact only while the project's lock is held."""
    waiting = select(func.count()).where(Job.project_id == project_id, Job.state == JobState.QUEUED.value)
    if session.scalars(waiting).one() >= limit:
        raise Problem(
            ProblemCode.TOO_MANY_QUEUED_JOBS,
            f"The project has {limit} waiting jobs, which is its limit.",
            headers={"Retry-After": str(seconds_until_start(session, project_id))},
        )


def insert(
    session: Session, new: NewJob, webhook: JobWebhook | None, claim: Claim | None, receipt: Receipt
) -> RecordedAnswer:
    """Insert the job and, in the same transaction, store the answer for the Idempotency-Key."""
    try:
        job = submit_job(session, new, webhook_endpoint(session, new.project_id, webhook))
    except NoPictureError as error:
        raise no_picture(error) from error
    answer = receipt(session, job)
    if claim is not None:
        record_answer(session, claim, answer)
    return answer


def webhook_endpoint(
    session: Session, project_id: UUID, webhook: JobWebhook | None
) -> WebhookEndpoint | None:
    """A webhook endpoint for this job only, with the project's secret for signatures."""
    if webhook is None:
        return None
    project = session.get_one(Project, project_id)
    url = httpx2.URL(str(webhook.url))
    return WebhookEndpoint(
        project_id=project_id,
        url=str(webhook.url),
        origin=f"{url.scheme}://{url.netloc.decode('ascii')}",
        event_types=list(webhook.events),
        secret=project.webhook_secret,
        previous_secret=project.previous_webhook_secret,
        previous_secret_expires_at=project.previous_webhook_secret_expires_at,
    )
