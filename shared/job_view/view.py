"""Convert database rows to the job of the API; pure functions, used for every response with a job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.ids import IdKind, format_id
from shared.job_errors import JOB_ERRORS, JobErrorCode
from shared.job_view.outputs import OutputRows
from shared.job_view.replays import Replay
from shared.jobs import JobState, Phase
from shared.links import content_url, job_url, mask_url, thumbnail_url
from shared.pictures.mask_modes import MaskReading
from shared.schemas.job_response import (
    JobErrorBody,
    JobLinks,
    JobList,
    JobMask,
    JobOutput,
    JobProgress,
    JobReplay,
    JobResponse,
    JobUsage,
    JobWarning,
    NumericsChange,
    ReplayDifference,
)
from shared.schemas.jobs import JobRequest
from shared.tables import Job, JobEstimate, UsageRecord
from shared.tasks import Task


@dataclass(frozen=True)
class JobRows:
    """Everything of a job that a response shows."""

    job: Job
    request: Mapping[str, Any]
    outputs: Sequence[OutputRows] = ()
    usage: UsageRecord | None = None
    queue_position: int | None = None
    now: datetime | None = None
    """Time of reading, by the database's clock."""
    undecoded: bool = False
    """Whether the job has ended, but some of its codes are still to be decoded into a picture."""
    mask: Mapping[str, Any] | None = None
    estimate: JobEstimate | None = None
    retry_of: UUID | None = None
    retries: Sequence[UUID] = ()
    """Jobs that repeat this one, oldest first."""
    replay: Replay | None = None
    warnings: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Page:
    """A page of jobs, newest first; `has_more` is true if older ones follow."""

    rows: Sequence[JobRows]
    has_more: bool


def view_job(rows: JobRows, public_url: str) -> JobResponse:
    """The job as the API shows it."""
    job, address = rows.job, job_url(public_url, rows.job.id)
    return JobResponse(
        id=format_id(IdKind.JOB, job.id),
        status=JobState(job.state),
        task=Task(job.task),
        attempt=job.attempt,
        numerics=job.numerics,
        numerics_changed=view_change(job),
        queue_position=rows.queue_position,
        progress=view_progress(job, rows.now, rows.estimate),
        outputs=[view_output(output, rows.request, public_url) for output in rows.outputs],
        partial_pending=rows.undecoded,
        scores=job.scores,
        mask=view_mask(rows, public_url),
        warnings=[JobWarning.model_validate(warning) for warning in rows.warnings],
        error=view_error(job),
        usage=None if rows.usage is None else JobUsage.model_validate(rows.usage, from_attributes=True),
        request=view_request(rows.request),
        metadata=rows.request.get("metadata", {}),
        retry_of=None if rows.retry_of is None else format_id(IdKind.JOB, rows.retry_of),
        retries=[format_id(IdKind.JOB, retry) for retry in rows.retries],
        replay=view_replay(rows.replay),
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        links=JobLinks(
            self=address,
            cancel=f"{address}/cancel",
            retry=f"{address}/retry",
            replay=f"{address}/replay",
        ),
    )


def view_page(page: Page, public_url: str) -> JobList:
    """A page of the list; the id of its last job is the cursor of the next page."""
    data = [view_job(rows, public_url) for rows in page.rows]
    return JobList(data=data, has_more=page.has_more, next_cursor=data[-1].id if page.has_more else None)


def view_request(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of the request that have a value, in the schema's order, which the database does not keep."""
    known = [name for name in JobRequest.model_fields if stored.get(name) is not None]
    later = [
        name for name, value in stored.items() if name not in JobRequest.model_fields and value is not None
    ]
    return {name: stored[name] for name in (*known, *later)}


def view_change(job: Job) -> NumericsChange | None:
    """The numerics identities before and after a takeover that changed them; None if none did."""
    if job.numerics_before is None:
        return None
    return NumericsChange.model_validate({"from": job.numerics_before, "to": job.numerics})


def view_progress(job: Job, now: datetime | None, estimate: JobEstimate | None = None) -> JobProgress:
    """The job's progress.

    now: time by the database's clock. `eta_seconds` is the worker's last estimate less the time since then.
    After the loss of a worker it is null, and `worker_lost_seconds` is the rest of its lease.
    """
    lease_left = seconds_of_lost_lease(job, now)
    eta = None if lease_left is not None or job.state != JobState.RUNNING else job.eta_seconds
    if eta is not None and now is not None and job.progress_at is not None:
        eta = rounded(max(0.0, eta - (now - job.progress_at).total_seconds()))
    p50, p90 = (None, None) if lease_left is not None else view_estimate(job, now, estimate)
    return JobProgress(
        phase=known_phase(job) if lease_left is None else Phase.WORKER_LOST,
        phase_fraction=None if lease_left is not None else phase_fraction(job),
        tokens_done=job.tokens_done,
        tokens_total=job.tokens_total,
        tokens_per_second=job.tokens_per_second,
        prefill_rows_done=job.prefill_rows_done,
        prefill_rows=job.prefill_rows,
        eta_seconds=eta,
        eta_p50=p50,
        eta_p90=p90,
        worker_lost_seconds=lease_left,
    )


def view_estimate(
    job: Job, now: datetime | None, estimate: JobEstimate | None
) -> tuple[float | None, float | None]:
    """The seconds left by the estimate's two quantiles; None for an ended job or a time that has passed.

    They have two digits, so that the entity tag of a waiting job stays the same for a while.
    """
    if now is None or estimate is None or job.state not in {JobState.QUEUED, JobState.RUNNING}:
        return None, None
    left = [max(0.0, (done - now).total_seconds()) for done in (estimate.done_p50, estimate.done_p90)]
    return (two_digits(left[0]), two_digits(left[1])) if left[1] else (None, None)


def two_digits(seconds: float) -> float:
    """Round to two significant digits, and to tenths at most."""
    return round(seconds, 1) if seconds < 1 else float(f"{seconds:.2g}")


def known_phase(job: Job) -> Phase | None:
    """The job's phase; None for one that only a newer version knows."""
    return Phase(job.phase) if job.phase in set(Phase) else None


def phase_fraction(job: Job) -> float | None:
    """Finished part of the phase, from 0 to 1; None where it is unknown."""
    match job.phase:
        case Phase.PREFILL:
            return job.prefill_rows_done / job.prefill_rows if job.prefill_rows else None
        case Phase.GENERATING:
            return job.tokens_done / job.tokens_total if job.tokens_total else None
        case _:
            return None


def seconds_of_lost_lease(job: Job, now: datetime | None) -> float | None:
    """Seconds until the lease of a lost worker expires; None while its heartbeats arrive.

    A worker counts as lost after half a lease without heartbeats. A lease spans at least three heartbeats, so
    a single late one is not enough for that.
    """
    if now is None or job.heartbeat_at is None or job.lease_expires_at is None:
        return None
    if now - job.heartbeat_at < (job.lease_expires_at - job.heartbeat_at) / 2:
        return None
    return rounded(max(0.0, (job.lease_expires_at - now).total_seconds()))


def rounded(seconds: float) -> float:
    """Round to whole seconds, below ten to tenths, so that the entity tag stays the same for as long."""
    return round(seconds, 1 if seconds < 10 else 0)


def view_output(rows: OutputRows, request: Mapping[str, Any], public_url: str) -> JobOutput:
    """One candidate picture; its URL has the format that the request names."""
    image = rows.image
    file_format, quality = request.get("output_format"), request.get("output_quality")
    return JobOutput(
        id=format_id(IdKind.IMAGE, image.id),
        candidate_id=format_id(IdKind.CANDIDATE, rows.candidate.id),
        index=rows.candidate.position,
        drawn_index=(
            rows.candidate.position if rows.candidate.drawn_index is None else rows.candidate.drawn_index
        ),
        url=content_url(public_url, image.id, file_format, quality),
        png_url=content_url(public_url, image.id),
        thumbnail_url=thumbnail_url(public_url, image.id),
        sha256=image.sha256.hex(),
        tokens_sha256=rows.tokens_sha256.hex(),
        width=image.width,
        height=image.height,
        score=rows.candidate.score,
        partial=rows.candidate.partial,
        changed_cells=rows.candidate.changed_cells,
        expired=image.is_expired,
        restorable=rows.restorable,
    )


def view_mask(rows: JobRows, public_url: str) -> JobMask | None:
    """The job's mask in cells; None if it has none."""
    if rows.mask is None:
        return None
    mask = rows.mask  # a `MaskRecord`, whose module needs a library for pictures
    return JobMask(
        reading=MaskReading(mask["reading"]),
        size=f"{mask['width']}x{mask['height']}",
        cells_free=mask["cells_free"],
        cells_total=mask["cells_total"],
        understood=mask_url(public_url, rows.job.id),
    )


def view_replay(replay: Replay | None) -> JobReplay | None:
    """What the comparison with the first job has found; None if the job is no replay."""
    if replay is None:
        return None
    return JobReplay(
        of=None if replay.of is None else format_id(IdKind.JOB, replay.of),
        equal=replay.equal,
        numerics=replay.numerics,
        differences=[
            ReplayDifference(index=one.index, cells=one.cells, row=one.row, column=one.column)
            for one in replay.differences
        ],
    )


def view_error(job: Job) -> JobErrorBody | None:
    """The job's error. An unknown code, from a newer worker, gets the hint of an internal error."""
    if job.error_code is None or job.error_message is None:
        return None
    try:
        kind = JOB_ERRORS[JobErrorCode(job.error_code)]
    except ValueError:
        kind = JOB_ERRORS[JobErrorCode.INTERNAL_ERROR]
    return JobErrorBody(
        code=job.error_code, message=job.error_message, retryable=kind.retryable, hint=kind.hint
    )
