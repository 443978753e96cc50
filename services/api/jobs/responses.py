"""HTTP responses with a job and its entity tag, or 304 when the client has the current version."""

from uuid import UUID

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from services.api.http.etags import tagged
from services.api.jobs.once import FirstAnswer
from services.api.jobs.submit import ACCEPTED, POLL_AFTER_SECONDS
from services.api.jobs.wait import read_after_wait
from services.api.problems.codes import Problem, ProblemCode
from services.api.process.gateway import Gateway
from shared.job_view.view import JobRows, view_job
from shared.jobs import FINAL_STATES, JobState
from shared.pictures.masks import MaskRecord

JSON = "application/json"
PNG = "image/png"
REPLAYED = {"Idempotent-Replayed": "true"}


def job_answer(rows: JobRows, public_url: str, if_none_match: str | None = None) -> Response:
    """200 with the job; until it has ended, with Retry-After for the next poll."""
    ended = JobState(rows.job.state) in FINAL_STATES
    headers = {} if ended else {"Retry-After": POLL_AFTER_SECONDS}
    return tagged(json_bytes(view_job(rows, public_url)), if_none_match, JSON, headers)


def mask_answer(rows: JobRows, if_none_match: str | None) -> Response:
    """The job's mask as PNG; it never changes. Raises Problem if the job has none."""
    if rows.mask is None:
        raise Problem(ProblemCode.NOT_FOUND, "The job has no mask.")
    return tagged(MaskRecord(**rows.mask).png(), if_none_match, PNG, {"Cache-Control": "private, immutable"})


def first_answer(first: FirstAnswer) -> Response:
    """The answer to a request; a repeated one has the header Idempotent-Replayed."""
    answer = first.answer
    replayed = REPLAYED if first.replayed else {}
    return JSONResponse(answer.body, answer.status, headers={**answer.headers, **replayed})


async def queued_answer(
    gateway: Gateway, project_id: UUID, first: FirstAnswer, wait: float | None
) -> Response:
    """The answer to a request that has queued a job, after waiting for its end if the client wants that."""
    if wait is None or first.answer.job_id is None:
        return first_answer(first)
    with gateway.waits.entered(project_id) as may_wait:
        if not may_wait:  # a preference need not be honoured: RFC 7240
            return first_answer(first)
        rows = await read_after_wait(gateway, project_id, first.answer.job_id, wait)
    return waited_answer(job_answer(rows, gateway.settings.gateway.public_url), rows, first, wait)


def waited_answer(answer: Response, rows: JobRows, first: FirstAnswer, seconds: float) -> Response:
    """The answer after waiting for a job: 200 if the job has ended, otherwise 202."""
    if JobState(rows.job.state) not in FINAL_STATES:
        answer.status_code = ACCEPTED
    answer.headers["Location"] = first.answer.headers["Location"]
    answer.headers["Preference-Applied"] = f"wait={seconds:g}"
    answer.headers.update(REPLAYED if first.replayed else {})
    return answer


def json_bytes(model: BaseModel) -> bytes:
    """The model as JSON."""
    return model.model_dump_json().encode()
