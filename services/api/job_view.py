"""Rows as the job resource: pure, so that every answer of the gateway shows a job alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.api.addresses import content_url, job_url
from shared.ids import IdKind, format_id
from shared.job_errors import JOB_ERRORS, JobErrorCode
from shared.jobs import JobState
from shared.schemas.job_response import (
    JobErrorBody,
    JobLinks,
    JobList,
    JobOutput,
    JobProgress,
    JobResponse,
    JobUsage,
)
from shared.schemas.jobs import JobRequest, Task
from shared.tables import Candidate, Image, Job, UsageRecord


@dataclass(frozen=True)
class OutputRows:
    """One candidate with its picture and the hash of its tokens."""

    candidate: Candidate
    image: Image
    tokens_sha256: bytes


@dataclass(frozen=True)
class JobRows:
    """Everything that is stored of a job and shown."""

    job: Job
    request: Mapping[str, Any]
    outputs: Sequence[OutputRows] = ()
    usage: UsageRecord | None = None
    queue_position: int | None = None


@dataclass(frozen=True)
class Page:
    """Some jobs, newest first, and whether older ones follow."""

    rows: Sequence[JobRows]
    has_more: bool


def view_job(rows: JobRows, public_url: str) -> JobResponse:
    """The resource."""
    job, address = rows.job, job_url(public_url, rows.job.id)
    return JobResponse(
        id=format_id(IdKind.JOB, job.id),
        status=JobState(job.state),
        task=Task(job.task),
        attempt=job.attempt,
        queue_position=rows.queue_position,
        progress=view_progress(job),
        outputs=[view_output(output, public_url) for output in rows.outputs],
        error=view_error(job),
        usage=None if rows.usage is None else JobUsage.model_validate(rows.usage, from_attributes=True),
        request=view_request(rows.request),
        metadata=rows.request.get("metadata", {}),
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        links=JobLinks(self=address, cancel=f"{address}/cancel"),
    )


def view_page(page: Page, public_url: str) -> JobList:
    """A page of the list; its last job is where the next page begins."""
    data = [view_job(rows, public_url) for rows in page.rows]
    return JobList(data=data, has_more=page.has_more, next_cursor=data[-1].id if page.has_more else None)


def view_request(stored: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, in the order of the schema: the database sorts keys in its own way."""
    known = [name for name in JobRequest.model_fields if stored.get(name) is not None]
    later = [
        name for name, value in stored.items() if name not in JobRequest.model_fields and value is not None
    ]
    return {name: stored[name] for name in (*known, *later)}


def view_progress(job: Job) -> JobProgress:
    """How far the job is; the estimate needs a speed and an attempt at work."""
    remaining = job.tokens_total - job.tokens_done
    running = job.state == JobState.RUNNING and job.tokens_done > 0
    return JobProgress(
        phase=job.phase,
        tokens_done=job.tokens_done,
        tokens_total=job.tokens_total,
        tokens_per_second=job.tokens_per_second,
        eta_seconds=remaining / job.tokens_per_second if running and job.tokens_per_second else None,
    )


def view_output(rows: OutputRows, public_url: str) -> JobOutput:
    """One candidate picture."""
    image = rows.image
    return JobOutput(
        id=format_id(IdKind.IMAGE, image.id),
        candidate_id=format_id(IdKind.CANDIDATE, rows.candidate.id),
        index=rows.candidate.position,
        url=content_url(public_url, image.id),
        sha256=image.sha256.hex(),
        tokens_sha256=rows.tokens_sha256.hex(),
        width=image.width,
        height=image.height,
        score=rows.candidate.score,
        partial=rows.candidate.partial,
    )


def view_error(job: Job) -> JobErrorBody | None:
    """Why the job ended; a code that a newer worker wrote is shown with what is true of any error."""
    if job.error_code is None or job.error_message is None:
        return None
    try:
        kind = JOB_ERRORS[JobErrorCode(job.error_code)]
    except ValueError:
        kind = JOB_ERRORS[JobErrorCode.INTERNAL_ERROR]
    return JobErrorBody(
        code=job.error_code, message=job.error_message, retryable=kind.retryable, hint=kind.hint
    )
