"""Request and response bodies of the delivery log."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.webhooks.schemas import ENDPOINT_ID
from shared.schemas.fields import Time
from shared.tables import DeliveryState

DELIVERY_EXAMPLE: dict[str, Any] = {
    "id": "dlv_00t8bh6ef7f1pv4b2d6m9qzs8x",
    "object": "webhook_delivery",
    "endpoint_id": ENDPOINT_ID,
    "event_type": "job.succeeded",
    "job_id": "job_00t8bh6dfsfk3t1a0b5n5scm5e",
    "seq": 3,
    "state": "delivered",
    "failures": 0,
    "last_status": 204,
    "last_error": None,
    "next_try_at": None,
    "created_at": "2026-01-01T12:00:30Z",
    "finished_at": "2026-01-01T12:00:30.2Z",
}
DETAILS_EXAMPLE: dict[str, Any] = DELIVERY_EXAMPLE | {
    "body": '{"type":"job.succeeded","timestamp":"2026-01-01T12:00:30+00:00","seq":3,"data":{"job":{}}}',
    "tries": [
        {
            "number": 1,
            "url": "https://example.org/hook",
            "headers": {
                "webhook-id": "dlv_00t8bh6ef7f1pv4b2d6m9qzs8x",
                "webhook-timestamp": "1767268830",
                "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
            },
            "sent_at": "2026-01-01T12:00:30.1Z",
            "seconds": 0.031,
            "status": 204,
            "error": None,
            "answer": "",
        }
    ],
}


class DeliveryResponse(BaseModel):
    """One event for one endpoint."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [DELIVERY_EXAMPLE]}, use_attribute_docstrings=True
    )

    id: str
    """Also the header `webhook-id` of every try."""
    object: Literal["webhook_delivery"] = "webhook_delivery"
    endpoint_id: str
    event_type: str
    job_id: str | None
    seq: int | None
    """Number of the event among those of the job."""
    state: DeliveryState
    failures: int
    """Failed tries since the event, or since it was last redelivered."""
    last_status: int | None
    """HTTP status of the last answer."""
    last_error: str | None
    """Why the last try failed: `status`, `redirect`, `timeout`, `answer_too_long`, `url_forbidden`,
    `host_unresolved`, `connection_failed` or `internal_error`."""
    next_try_at: Time | None
    """Time of the next try; while a try is running, the time until which it may take. Null at the end."""
    created_at: Time
    finished_at: Time | None


class DeliveryTryResponse(BaseModel):
    """One request to the receiver, and its answer."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    number: int
    """Numbers of tries rise; one is missing where an io worker was killed."""
    url: str
    headers: dict[str, str]
    """The headers of the Standard Webhooks specification."""
    sent_at: Time
    seconds: float
    status: int | None
    error: str | None
    answer: str | None
    """The first 1,024 bytes of the answer's body."""


class DeliveryDetails(DeliveryResponse):
    """A delivery with the message and its last tries."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [DETAILS_EXAMPLE]}, use_attribute_docstrings=True
    )

    body: str | None
    """The message; null before the first try."""
    tries: list[DeliveryTryResponse]
    """The last 100 tries, oldest first."""


class DeliveryList(BaseModel):
    """One page of deliveries, newest first."""

    object: Literal["list"] = "list"
    data: list[DeliveryResponse]
    has_more: bool
    next_cursor: str | None


class Redelivery(BaseModel):
    """Which ended deliveries to send again."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    since: Time
    """Deliveries of events at this time or later."""
    states: list[Literal["delivered", "exhausted", "abandoned"]] = Field(
        default=["exhausted", "abandoned"],
        min_length=1,
        max_length=3,
        json_schema_extra={"uniqueItems": True},
    )
    """Their states; by default those of messages that the receiver does not have."""


class RedeliveryResponse(BaseModel):
    """Number of deliveries that are sent again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"object": "webhook_redelivery", "count": 12, "has_more": False, "next_since": None}]
        },
        use_attribute_docstrings=True,
    )

    object: Literal["webhook_redelivery"] = "webhook_redelivery"
    count: int
    """At most 10,000, oldest first."""
    has_more: bool
    next_since: Time | None
    """Value of `since` for the request that sends the others again."""
