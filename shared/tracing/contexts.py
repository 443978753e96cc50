"""The trace of a job: which trace, which parent, and the ids of the spans that other spans refer to.

The gateway writes the context of its request, a W3C `traceparent`, into the job's row. The ids of the job's
span and of each attempt's span follow from the job's id and the number of the attempt. So every process can
name them as parents, before they are written and after the process that ran the attempt is gone.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from uuid import UUID

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT = "traceparent"
"""Header of HTTP requests and of Celery messages."""
W3C = TraceContextTextMapPropagator()
WHOLE_JOB = 0
"""Stands for the number of an attempt in the id of the job's own span."""


def current_traceparent() -> str | None:
    """The current span as a `traceparent`; None outside of traces."""
    return current_headers().get(TRACEPARENT)


def current_headers() -> dict[str, str]:
    """Headers that let the receiver of a request continue the current trace; empty outside of traces."""
    carrier: dict[str, str] = {}
    W3C.inject(carrier)
    return {TRACEPARENT: carrier[TRACEPARENT]} if TRACEPARENT in carrier else {}


def trace_ids() -> dict[str, str]:
    """Ids of the current trace and span for log lines; empty outside of traces."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return {}
    return {"trace_id": trace.format_trace_id(span.trace_id), "span_id": trace.format_span_id(span.span_id)}


def context_of_headers(headers: Mapping[str, str | None]) -> Context:
    """The context that a sender has put into its headers; empty if it has put none."""
    given = headers.get(TRACEPARENT)
    return W3C.extract({TRACEPARENT: given}, Context()) if given else Context()


@dataclass(frozen=True)
class JobTrace:
    """The trace of one job. request: the context of the request that submitted the job."""

    job_id: UUID
    request: SpanContext

    @classmethod
    def of(cls, job_id: UUID, traceparent: str | None) -> "JobTrace | None":
        """The trace that a job's row names; None if the job is not traced."""
        if traceparent is None:
            return None
        request = trace.get_current_span(context_of_headers({TRACEPARENT: traceparent})).get_span_context()
        return cls(job_id, request) if request.is_valid else None

    def span(self, attempt: int = WHOLE_JOB) -> SpanContext:
        """The span of an attempt, or of the whole job."""
        number = attempt.to_bytes(4, "big")
        span_id = int.from_bytes(blake2b(self.job_id.bytes + number, digest_size=8).digest(), "big")
        flags = TraceFlags(self.request.trace_flags)
        return SpanContext(self.request.trace_id, span_id or 1, is_remote=True, trace_flags=flags)

    def around_job(self) -> Context:
        """The context whose current span is the request's: that of the job's parent."""
        return as_context(self.request)

    def inside(self, attempt: int = WHOLE_JOB) -> Context:
        """The context whose current span is the one of `span`."""
        return as_context(self.span(attempt))

    def traceparent(self) -> str:
        """The job's span as a header."""
        carrier: dict[str, str] = {}
        W3C.inject(carrier, self.inside())
        return carrier[TRACEPARENT]


def as_context(span: SpanContext) -> Context:
    """A context whose current span is this one."""
    return trace.set_span_in_context(NonRecordingSpan(span), Context())


@contextmanager
def inside_job(job_id: UUID, traceparent: str | None, attempt: int = WHOLE_JOB) -> Generator[None]:
    """Make an attempt, or a whole job, the parent of all spans of the block; nothing for an untraced job."""
    job = JobTrace.of(job_id, traceparent)
    if job is None:
        yield
        return
    token = context.attach(job.inside(attempt))
    try:
        yield
    finally:
        context.detach(token)
