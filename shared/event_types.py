"""Types of events, as webhooks name them, and patterns that select several types. Pure."""

from typing import Literal

JobEventType = Literal[
    "job.queued",
    "job.started",
    "job.interrupted",
    "job.retrying",
    "job.canceling",
    "job.canceled",
    "job.succeeded",
    "job.failed",
    "job.expired",
]
"""`job.` and the value of a `JobEvent`."""
ENDPOINT_DISABLED: Literal["webhook_endpoint.disabled"] = "webhook_endpoint.disabled"
"""An endpoint of the project gets no events any more, because its receiver fails or wants none."""
ENDPOINT_TEST: Literal["webhook_endpoint.test"] = "webhook_endpoint.test"
"""A client asked for a test; it is sent to this endpoint only, whatever its types are."""

JobEventPattern = Literal[JobEventType, "job.*", "*"]
EventPattern = Literal[JobEventPattern, "webhook_endpoint.disabled", "webhook_endpoint.*"]
"""A type, or all types that begin with the same word, or all types."""


def patterns_of(event_type: str) -> list[str]:
    """The patterns that select this type: `a.b.c` is selected by itself, `a.b.*`, `a.*` and `*`."""
    words = event_type.split(".")
    return [event_type, *(".".join([*words[:count], "*"]) for count in range(len(words) - 1, -1, -1))]
