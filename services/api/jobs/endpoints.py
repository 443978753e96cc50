"""Routes of jobs: submit, read, list, cancel, retry, replay, delete."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from services.api.auth.bearer import CallerDep
from services.api.dependencies import (
    ANSWER_HEADERS,
    Cursor,
    GatewayDep,
    IdempotencyKey,
    IfNoneMatch,
    JobId,
    PreferredWait,
)
from services.api.http.body_limits import body_of
from services.api.http.json_bodies import read_json
from services.api.http.query_rules import refuse_unknown_query
from services.api.images.sources import FIELDS
from services.api.jobs.cancel import cancel_job
from services.api.jobs.delete import delete_job
from services.api.jobs.examples import JOB_BODY
from services.api.jobs.replay import replay_job
from services.api.jobs.repository import JobFilter, list_jobs, read_job
from services.api.jobs.responses import job_answer, mask_answer, queued_answer
from services.api.jobs.retry import retry_job
from services.api.jobs.submit import order_job, submit
from services.api.problems.codes import ProblemCode
from services.api.problems.documents import problem_responses
from shared.job_view.view import view_page
from shared.jobs import JobState
from shared.schemas.job_response import JobList, JobResponse
from shared.schemas.jobs import JobRequest
from shared.tasks import Task

router = APIRouter(
    prefix="/v1/jobs",
    tags=["jobs"],
    dependencies=[Depends(refuse_unknown_query)],
    responses=problem_responses(
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.PROJECT_DISABLED,
        ProblemCode.INVALID_REQUEST,
        ProblemCode.DATABASE_UNAVAILABLE,
    ),
)
PNG = {"schema": {"type": "string", "format": "binary"}}
NOT_FOUND = problem_responses(ProblemCode.NOT_FOUND)
SUBMISSION_PROBLEMS = (
    ProblemCode.MALFORMED_REQUEST,
    ProblemCode.IDEMPOTENCY_KEY_IN_FLIGHT,
    ProblemCode.IMAGE_EXPIRED,
    ProblemCode.BODY_TOO_LARGE,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE,
    ProblemCode.INVALID_REQUEST,
    ProblemCode.IDEMPOTENCY_KEY_REUSED,
    ProblemCode.IMAGE_UNREADABLE,
    ProblemCode.IMAGE_TOO_LARGE,
    ProblemCode.IMAGE_TOO_COMPLEX,
    ProblemCode.DECODERS_BUSY,
    ProblemCode.IMAGE_UNAVAILABLE,
    ProblemCode.IMAGE_URL_FORBIDDEN,
    ProblemCode.WEBHOOK_URL_FORBIDDEN,
    ProblemCode.MODEL_UNAVAILABLE,
    ProblemCode.NUMERICS_UNAVAILABLE,
    ProblemCode.TOO_MANY_QUEUED_JOBS,
    ProblemCode.TOO_MANY_PICTURES,
    ProblemCode.STORAGE_QUOTA_REACHED,
    ProblemCode.DATABASE_UNAVAILABLE,
    ProblemCode.STORAGE_UNAVAILABLE,
)
REFUSED_SUBMISSIONS = problem_responses(*SUBMISSION_PROBLEMS)
REFUSED_RETRIES = problem_responses(
    *SUBMISSION_PROBLEMS, ProblemCode.NOT_FOUND, ProblemCode.JOB_NOT_RETRYABLE, ProblemCode.JOB_IN_SESSION
)
QUEUED_AGAIN: dict[int | str, dict[str, Any]] = {
    200: {"model": JobResponse, "description": "The job has ended (only with `Prefer: wait=N`)."},
    202: {"description": "The new job is queued.", "headers": ANSWER_HEADERS},
}
REFUSED_REPLAYS = problem_responses(
    *SUBMISSION_PROBLEMS, ProblemCode.NOT_FOUND, ProblemCode.JOB_NOT_REPLAYABLE
)
REFUSED_DELETIONS = problem_responses(
    ProblemCode.NOT_FOUND,
    ProblemCode.JOB_NOT_ENDED,
    ProblemCode.JOB_IN_SESSION,
    ProblemCode.DATABASE_UNAVAILABLE,
    ProblemCode.STORAGE_UNAVAILABLE,
)


@router.post(
    "",
    status_code=202,
    response_model=JobResponse,
    openapi_extra=JOB_BODY,
    responses={
        **REFUSED_SUBMISSIONS,
        200: {"model": JobResponse, "description": "The job has ended (only with `Prefer: wait=N`)."},
        202: {"description": "The job is queued.", "headers": ANSWER_HEADERS},
    },
)
async def create_job(
    request: Request,
    caller: CallerDep,
    gateway: GatewayDep,
    key: IdempotencyKey = None,
    wait: PreferredWait = None,
) -> Response:
    """Queue a job. Answers at once, or with `Prefer: wait=N` when the job has ended or N seconds are over."""
    order = order_job(await read_json(request, JobRequest, FIELDS), gateway.settings.gateway.public_url)
    first = await submit(gateway, caller, order, key)
    if wait is not None:
        await body_of(request.scope).release()  # the body is no longer in memory while the job runs
    return await queued_answer(gateway, caller.project_id, first, wait)


@router.get("/{job_id}", response_model=JobResponse, responses=NOT_FOUND)
async def get_job(
    caller: CallerDep, gateway: GatewayDep, job_id: JobId, if_none_match: IfNoneMatch = None
) -> Response:
    """Read a job. With `If-None-Match`, the answer is 304 if nothing has changed."""
    async with gateway.database.transaction() as session:
        rows = await session.run_sync(read_job, caller.project_id, job_id)
    return job_answer(rows, gateway.settings.gateway.public_url, if_none_match)


@router.get(
    "/{job_id}/mask",
    response_class=Response,
    responses={
        **NOT_FOUND,
        200: {"description": "The mask as a black and white PNG.", "content": {"image/png": PNG}},
    },
)
async def get_mask(
    caller: CallerDep, gateway: GatewayDep, job_id: JobId, if_none_match: IfNoneMatch = None
) -> Response:
    """Download the mask of an edit as the model uses it, in whole cells: white cells may change."""
    async with gateway.database.transaction() as session:
        rows = await session.run_sync(read_job, caller.project_id, job_id)
    return mask_answer(rows, if_none_match)


@router.get("")
async def get_jobs(
    caller: CallerDep,
    gateway: GatewayDep,
    *,
    status: Annotated[
        list[JobState] | None,
        Query(description="Only jobs in this state; repeatable.", max_length=len(JobState)),
    ] = None,
    task: Annotated[
        list[Task] | None, Query(description="Only jobs of this task; repeatable.", max_length=len(Task))
    ] = None,
    after: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> JobList:
    """List the project's jobs, newest first."""
    wanted = JobFilter(status or (), task or ())
    async with gateway.reads.transaction() as session:
        page = await session.run_sync(list_jobs, caller.project_id, wanted, after, limit)
    return view_page(page, gateway.settings.gateway.public_url)


@router.post(
    "/{job_id}/retry",
    status_code=202,
    response_model=JobResponse,
    responses={**REFUSED_RETRIES, **QUEUED_AGAIN},
)
async def post_retry(
    caller: CallerDep,
    gateway: GatewayDep,
    job_id: JobId,
    key: IdempotencyKey = None,
    wait: PreferredWait = None,
) -> Response:
    """Queue the request of a failed, expired or canceled job again, as a new job with the same seed.

    Deadlines that have passed are left out.
    """
    submission = await retry_job(gateway, caller, job_id, key)
    return await queued_answer(gateway, caller.project_id, submission, wait)


@router.post(
    "/{job_id}/replay",
    status_code=202,
    response_model=JobResponse,
    responses={**REFUSED_REPLAYS, **QUEUED_AGAIN},
)
async def post_replay(
    caller: CallerDep,
    gateway: GatewayDep,
    job_id: JobId,
    key: IdempotencyKey = None,
    wait: PreferredWait = None,
) -> Response:
    """Draw a succeeded job again, as a new job whose `replay` says whether the codes are equal.

    The request's `numerics`, if it has one, stays; otherwise any worker draws it.
    """
    submission = await replay_job(gateway, caller, job_id, key)
    return await queued_answer(gateway, caller.project_id, submission, wait)


@router.delete(
    "/{job_id}",
    status_code=204,
    responses={**REFUSED_DELETIONS, 204: {"description": "The job is deleted."}},
)
async def delete_ended_job(caller: CallerDep, gateway: GatewayDep, job_id: JobId) -> Response:
    """Delete an ended job with its pictures; its usage stays. Pictures that were uploaded for it stay."""
    await delete_job(gateway, caller, job_id)
    return Response(status_code=204)


@router.post("/{job_id}/cancel", response_model=JobResponse, responses=NOT_FOUND)
async def post_cancel(caller: CallerDep, gateway: GatewayDep, job_id: JobId) -> Response:
    """Cancel a waiting or running job. A finished job is returned unchanged. Repeating this has no effect."""
    async with gateway.database.transaction() as session:
        rows = await session.run_sync(cancel_job, caller.project_id, job_id)
    return job_answer(rows, gateway.settings.gateway.public_url)
