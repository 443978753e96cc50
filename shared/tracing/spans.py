"""Write spans: around a block of code, or afterwards, from times that the database has kept."""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanContext, SpanKind, StatusCode

from shared.tracing.names import ERROR_TYPE

Value = str | bool | int | float
Attributes = Mapping[str, Value | None]
"""Attributes of a span; those that are None are left out."""

ENDED_SPANS = "ended_spans"
"""Key in the `info` of a database session: the `EndedSpan`s to write after its transaction is committed."""
TRACER = trace.get_tracer("luminary")
planned_span_id: ContextVar[int | None] = ContextVar("planned_span_id", default=None)
"""Id for the span that is started next in this context; see `setup.PlannedIds`."""


@dataclass(frozen=True)
class EndedSpan:
    """A span of the past. parent: the context with its parent. id: None for any."""

    name: str
    parent: Context
    started_at: datetime
    ended_at: datetime
    attributes: Attributes
    id: int | None = None
    links: tuple[SpanContext, ...] = ()
    error: str | None = None
    """A short code of the error that ended what the span describes."""


def set_attributes(span: Span, attributes: Attributes) -> None:
    """Add attributes to a span."""
    span.set_attributes({name: value for name, value in attributes.items() if value is not None})


def is_inside_trace() -> bool:
    """Whether there is a current span."""
    return trace.get_current_span().get_span_context().is_valid


@contextmanager
def leaf(
    name: str,
    attributes: Attributes,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Context | None = None,
) -> Generator[Span]:
    """A span around the block, below `parent` or the current span; outside of traces it is not written.

    It does not become the current span, so no other span is below it: if this process is killed before it has
    sent the span, the spans of other processes do not lose their parent. An exception marks it as failed, by
    the name of the exception's class alone.
    """
    span = start_leaf(name, attributes, kind, parent)
    try:
        yield span
    except Exception as error:
        mark_failed(span, type(error).__name__)
        raise
    finally:
        span.end()


def start_leaf(
    name: str,
    attributes: Attributes | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: Context | None = None,
) -> Span:
    """As `leaf`, for a span that the caller ends."""
    if not trace.get_current_span(parent).get_span_context().is_valid:
        return INVALID_SPAN
    span = TRACER.start_span(name, context=parent, kind=kind)
    set_attributes(span, attributes or {})
    return span


def mark_failed(span: Span, error: str) -> None:
    """Give a span the status of an error. error: a short code or the name of a class."""
    span.set_attribute(ERROR_TYPE, error)
    span.set_status(StatusCode.ERROR)


def write_ended(spans: Iterable[EndedSpan]) -> None:
    """Write spans of the past."""
    for ended in spans:
        token = planned_span_id.set(ended.id)
        try:
            span = TRACER.start_span(
                ended.name,
                context=ended.parent,
                links=[Link(link) for link in ended.links],
                start_time=nanoseconds(ended.started_at),
            )
        finally:
            planned_span_id.reset(token)
        set_attributes(span, ended.attributes)
        if ended.error is not None:
            mark_failed(span, ended.error)
        span.end(nanoseconds(ended.ended_at))


def nanoseconds(time: datetime) -> int:
    """Nanoseconds since 1970."""
    return round(time.timestamp() * 1_000_000) * 1000
