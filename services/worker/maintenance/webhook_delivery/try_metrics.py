"""What the metrics count of one try to deliver a webhook."""

from services.worker.maintenance.webhook_delivery.outcomes import (
    Answer,
    Delivered,
    GiveUp,
    Outcome,
    StopEndpoint,
)
from services.worker.maintenance.webhook_delivery.rows import ClaimedDelivery
from services.worker.metrics import WEBHOOK_DELAY, WEBHOOK_ENDS, WEBHOOK_SECONDS, WEBHOOK_TRIES

DELIVERED = "delivered"
ENDS: dict[type[Outcome], str] = {Delivered: DELIVERED, GiveUp: "exhausted", StopEndpoint: "abandoned"}


def count_try(claimed: ClaimedDelivery, answer: Answer, outcome: Outcome) -> None:
    """Count a recorded try, and the end of its delivery if it is the last one."""
    WEBHOOK_TRIES.labels(DELIVERED if answer.error is None else answer.error.value).inc()
    WEBHOOK_SECONDS.observe(answer.seconds)
    if claimed.number == 1:
        WEBHOOK_DELAY.observe(max(0.0, (claimed.claimed_at - claimed.created_at).total_seconds()))
    if (end := ENDS.get(type(outcome))) is not None:
        WEBHOOK_ENDS.labels(end).inc()
