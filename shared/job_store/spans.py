"""The spans of jobs and attempts, written after the transaction that ends what they describe.

The process that ends an attempt in the database writes its span: the worker, or the io worker that takes the
job of a lost worker back. So each span is written once, like everything that the fence protects, and the
attempt of a killed worker is in the trace, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from shared.ids import IdKind, format_id
from shared.job_store.clock import database_time
from shared.jobs import FINAL_STATES, JobEvent, target
from shared.tables import Job, JobEventRow
from shared.tracing import names
from shared.tracing.contexts import JobTrace
from shared.tracing.setup import is_on
from shared.tracing.spans import ENDED_SPANS, EndedSpan

ENDS = frozenset(
    {JobEvent.INTERRUPTED, JobEvent.RETRYING, JobEvent.CANCELED, JobEvent.SUCCEEDED, JobEvent.FAILED}
)
"""Events that end the running attempt, if there is one."""
BETWEEN_ATTEMPTS = frozenset({JobEvent.INTERRUPTED.value, JobEvent.RETRYING.value})
GOOD_ENDS = frozenset({JobEvent.SUCCEEDED, JobEvent.CANCELED})


@dataclass(frozen=True)
class AttemptEnd:
    """How an attempt ended. start: the event that began it. data: of the event that ended it."""

    event: JobEvent
    start: JobEventRow
    ended_at: datetime
    data: Mapping[str, Any]


def note_spans(
    session: Session, event: JobEvent, jobs: Sequence[Job], data: Sequence[Mapping[str, Any]]
) -> None:
    """Keep the spans that end with this event until the commit. Called before the event's row is written.

    data: of the event, for each job. Nothing is read or kept while tracing is off, or for jobs that are not
    traced or not sampled.
    """
    if not is_on():
        return
    traced = [
        (job, trace, detail)
        for job, detail in zip(jobs, data, strict=True)
        if (trace := JobTrace.of(job.id, job.traceparent)) and trace.request.trace_flags.sampled
    ]
    if not traced:
        return
    spans = spans_of(session)
    now: datetime = session.execute(select(database_time())).scalar_one()
    starts = starts_of_attempts(session, [job for job, _, _ in traced]) if event in ENDS else {}
    for job, trace, detail in traced:
        if job.id in starts:
            end = AttemptEnd(event, starts[job.id], now, detail)
            spans.append(attempt_span(job, trace, end))
        if target(event) in FINAL_STATES:
            spans.append(job_span(job, trace, now))


@dataclass(frozen=True)
class Wait:
    """A job's wait until its attempt started."""

    job_id: UUID
    attempt: int
    queue: str
    traceparent: str | None
    begun_at: datetime
    ended_at: datetime


def note_wait(session: Session, wait: Wait) -> None:
    """Keep the span of a wait until the commit, if the job is traced."""
    if not is_on():
        return
    trace = JobTrace.of(wait.job_id, wait.traceparent)
    if trace is not None and trace.request.trace_flags.sampled:
        attributes = {names.QUEUE_NAME: wait.queue, names.ATTEMPT_NUMBER: wait.attempt}
        begun_at = min(wait.begun_at, wait.ended_at)
        spans_of(session).append(EndedSpan(names.QUEUE, trace.inside(), begun_at, wait.ended_at, attributes))


def spans_of(session: Session) -> list[EndedSpan]:
    """The spans that are written after the session's commit."""
    spans: list[EndedSpan] = session.info.setdefault(ENDED_SPANS, [])
    return spans


def starts_of_attempts(session: Session, jobs: Sequence[Job]) -> dict[Any, JobEventRow]:
    """The event that started the running attempt of each job that had one until now."""
    attempts = [(job.id, job.attempt) for job in jobs]
    rows = session.scalars(
        select(JobEventRow)
        .where(tuple_(JobEventRow.job_id, JobEventRow.attempt).in_(attempts))
        .order_by(JobEventRow.sequence)
    ).all()
    over = {row.job_id for row in rows if row.kind in BETWEEN_ATTEMPTS}
    return {row.job_id: row for row in rows if row.kind == JobEvent.STARTED and row.job_id not in over}


def attempt_span(job: Job, trace: JobTrace, end: AttemptEnd) -> EndedSpan:
    """The span of an attempt, which refers to the attempt before it."""
    reason = end.data.get("reason") or end.data.get("code")
    attributes = {
        names.JOB_ID: format_id(IdKind.JOB, job.id),
        names.ATTEMPT_NUMBER: job.attempt,
        names.ATTEMPT_END: end.event.value,
        names.WORKER: end.start.data.get("worker"),
        names.NUMERICS: job.numerics,
        names.TOKENS_DONE: job.tokens_done,
        names.TOKENS_TOTAL: job.tokens_total,
        names.REASON: reason,
    }
    return EndedSpan(
        names.ATTEMPT.format(number=job.attempt),
        trace.inside(),
        end.start.created_at,
        end.ended_at,
        attributes,
        id=trace.span(job.attempt).span_id,
        links=(trace.span(job.attempt - 1),) if job.attempt > 1 else (),
        error=None if end.event in GOOD_ENDS else str(reason or end.event.value),
    )


def job_span(job: Job, trace: JobTrace, now: datetime) -> EndedSpan:
    """The span of the whole job."""
    attributes = {
        names.JOB_ID: format_id(IdKind.JOB, job.id),
        names.PROJECT_ID: format_id(IdKind.PROJECT, job.project_id),
        names.TASK: job.task,
        names.STATE: job.state,
        names.ATTEMPTS: job.attempt,
        names.TOKENS_TOTAL: job.tokens_total,
    }
    return EndedSpan(
        names.JOB.format(task=job.task),
        trace.around_job(),
        job.created_at,
        now,
        attributes,
        id=trace.span().span_id,
        error=job.error_code,
    )
