"""Jobs: queue, read, list, cancel."""

from typing import Annotated

from fastapi import APIRouter, Body, Query
from starlette.responses import Response

from services.api.answers import job_answer, submission_answer, waited_answer
from services.api.auth import CallerDep
from services.api.dependencies import (
    ANSWER_HEADERS,
    Cursor,
    GatewayDep,
    IdempotencyKey,
    IfNoneMatch,
    JobId,
    PreferredWait,
)
from services.api.examples import JOB_EXAMPLES
from services.api.job_cancelling import cancel_job
from services.api.job_reading import JobFilter, list_jobs, read_job
from services.api.job_submission import submit
from services.api.job_view import view_page
from services.api.job_waiting import read_after_wait
from services.api.problem_documents import problem_responses
from services.api.problems import ProblemCode
from shared.jobs import JobState
from shared.schemas.job_response import JobList, JobResponse
from shared.schemas.jobs import JobRequest, Task

router = APIRouter(
    prefix="/v1/jobs",
    tags=["jobs"],
    responses=problem_responses(
        ProblemCode.UNAUTHENTICATED,
        ProblemCode.PROJECT_DISABLED,
        ProblemCode.INVALID_REQUEST,
        ProblemCode.DATABASE_UNAVAILABLE,
    ),
)
NOT_FOUND = problem_responses(ProblemCode.NOT_FOUND)
REFUSED_SUBMISSIONS = problem_responses(
    ProblemCode.MALFORMED_REQUEST,
    ProblemCode.IDEMPOTENCY_KEY_IN_FLIGHT,
    ProblemCode.IMAGE_EXPIRED,
    ProblemCode.BODY_TOO_LARGE,
    ProblemCode.INVALID_REQUEST,
    ProblemCode.IDEMPOTENCY_KEY_REUSED,
    ProblemCode.IMAGE_UNREADABLE,
    ProblemCode.IMAGE_TOO_LARGE,
    ProblemCode.IMAGE_UNAVAILABLE,
    ProblemCode.IMAGE_URL_FORBIDDEN,
    ProblemCode.MODEL_UNAVAILABLE,
    ProblemCode.TOO_MANY_QUEUED_JOBS,
    ProblemCode.DATABASE_UNAVAILABLE,
    ProblemCode.STORAGE_UNAVAILABLE,
)


@router.post(
    "",
    status_code=202,
    response_model=JobResponse,
    responses={
        **REFUSED_SUBMISSIONS,
        200: {"model": JobResponse, "description": "With `Prefer: wait=N`: the job has ended."},
        202: {"description": "The job is queued.", "headers": ANSWER_HEADERS},
    },
)
async def create_job(
    caller: CallerDep,
    gateway: GatewayDep,
    job: Annotated[JobRequest, Body(openapi_examples=JOB_EXAMPLES)],
    key: IdempotencyKey = None,
    wait: PreferredWait = None,
) -> Response:
    """Queue a job. The answer comes at once, or with `Prefer: wait=N` when the job has ended."""
    submission = await submit(gateway, caller, job, key)
    if wait is None:
        return submission_answer(submission)
    rows = await read_after_wait(gateway, caller.project_id, submission.job_id, wait)
    return waited_answer(rows, gateway.settings.gateway.public_url, wait)


@router.get("/{job_id}", response_model=JobResponse, responses=NOT_FOUND)
async def get_job(
    caller: CallerDep, gateway: GatewayDep, job_id: JobId, if_none_match: IfNoneMatch = None
) -> Response:
    """A job as it stands. With `If-None-Match`: 304 when nothing has changed."""
    async with gateway.database.transaction() as session:
        rows = await session.run_sync(read_job, caller.project_id, job_id)
    return job_answer(rows, gateway.settings.gateway.public_url, if_none_match)


@router.get("")
async def get_jobs(
    caller: CallerDep,
    gateway: GatewayDep,
    *,
    status: Annotated[list[JobState] | None, Query(description="Repeat it for several.")] = None,
    task: Annotated[list[Task] | None, Query(description="Repeat it for several.")] = None,
    after: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> JobList:
    """The project's jobs, newest first."""
    wanted = JobFilter(status or (), task or ())
    async with gateway.database.transaction() as session:
        page = await session.run_sync(list_jobs, caller.project_id, wanted, after, limit)
    return view_page(page, gateway.settings.gateway.public_url)


@router.post("/{job_id}/cancel", response_model=JobResponse, responses=NOT_FOUND)
async def post_cancel(caller: CallerDep, gateway: GatewayDep, job_id: JobId) -> Response:
    """Cancel a waiting job, stop a running one, leave an ended one as it is; asking again changes nothing."""
    async with gateway.database.transaction() as session:
        rows = await session.run_sync(cancel_job, caller.project_id, job_id)
    return job_answer(rows, gateway.settings.gateway.public_url)
