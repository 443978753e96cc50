"""HTTP answers that several routes give: a job with its entity tag, or 304 when the client has it."""

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from services.api.addresses import job_url
from services.api.etags import entity_tag, matches
from services.api.job_submission import POLL_AFTER_SECONDS, Submission
from services.api.job_view import JobRows, view_job
from shared.jobs import FINAL_STATES, JobState

JSON = "application/json"
NOT_MODIFIED = 304


def tagged(body: bytes, if_none_match: str | None, media_type: str, headers: Mapping[str, str]) -> Response:
    """The body under its entity tag, or 304 without it."""
    tag = entity_tag(body)
    told = {**headers, "ETag": tag}
    if matches(if_none_match, tag):
        return Response(status_code=NOT_MODIFIED, headers=told)
    return Response(body, media_type=media_type, headers=told)


def job_answer(rows: JobRows, public_url: str, if_none_match: str | None = None) -> Response:
    """200 with the job; while it has not ended, with the time after which to ask again."""
    ended = JobState(rows.job.state) in FINAL_STATES
    headers = {"Cache-Control": "no-cache"} | ({} if ended else {"Retry-After": POLL_AFTER_SECONDS})
    return tagged(json_bytes(view_job(rows, public_url)), if_none_match, JSON, headers)


def submission_answer(submission: Submission) -> Response:
    """What the first request with the key was answered, and whether this is a repetition of it."""
    answer = submission.answer
    replayed = {"Idempotent-Replayed": "true"} if submission.replayed else {}
    return JSONResponse(answer.body, answer.status, headers={**answer.headers, **replayed})


def waited_answer(rows: JobRows, public_url: str, seconds: float) -> Response:
    """After waiting: 200 with the ended job, or 202 when it goes on."""
    answer = job_answer(rows, public_url)
    if JobState(rows.job.state) not in FINAL_STATES:
        answer.status_code = 202
    answer.headers["Location"] = job_url(public_url, rows.job.id)
    answer.headers["Preference-Applied"] = f"wait={seconds:g}"
    return answer


def json_bytes(model: BaseModel) -> bytes:
    """The model as JSON."""
    return model.model_dump_json().encode()
