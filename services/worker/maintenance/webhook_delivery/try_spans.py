"""The span of one try to deliver a webhook, below the span of its job.

The receiver is not told the ids of the trace: it belongs to somebody else.
"""

from contextlib import AbstractContextManager, nullcontext

import httpx2
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind

from services.worker.maintenance.webhook_delivery.outcomes import Answer
from services.worker.maintenance.webhook_delivery.rows import ClaimedDelivery
from shared.ids import IdKind, format_id
from shared.tracing import names
from shared.tracing.contexts import JobTrace
from shared.tracing.spans import leaf, mark_failed, set_attributes


def message_id(claimed: ClaimedDelivery) -> str:
    """The header `webhook-id`, equal in all tries."""
    return format_id(IdKind.DELIVERY, claimed.id)


def try_span(claimed: ClaimedDelivery) -> AbstractContextManager[Span]:
    """A span around the request; none if the event's job is not traced. Paths of URLs may hold secrets."""
    trace = None if claimed.job_id is None else JobTrace.of(claimed.job_id, claimed.traceparent)
    if trace is None:
        return nullcontext(INVALID_SPAN)
    attributes = {
        names.EVENT_TYPE: claimed.event_type,
        names.DELIVERY_ID: message_id(claimed),
        names.TRY: claimed.number,
        names.HTTP_METHOD: "POST",
        names.SERVER_ADDRESS: httpx2.URL(claimed.url).host,
    }
    return leaf(names.SEND_WEBHOOK, attributes, SpanKind.CLIENT, trace.inside())


def add_answer(span: Span, answer: Answer) -> None:
    """Add what the receiver has answered."""
    set_attributes(span, {names.HTTP_STATUS: answer.status})
    if answer.error is not None:
        mark_failed(span, answer.error.value)
