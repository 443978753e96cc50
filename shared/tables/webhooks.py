"""Webhook endpoints, their deliveries, and the tries of each delivery."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from shared.tables.base import Base, CreatedAt, Small, Uuid7, one_of


class DeliveryState(StrEnum):
    """State of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    """All tries failed."""
    ABANDONED = "abandoned"
    """The receiver asked not to be called again, or the endpoint was disabled."""


class DisabledReason(StrEnum):
    """Why an endpoint receives no events any more."""

    GONE = "gone"
    """Its receiver answered 410."""
    FAILING = "failing"
    """All tries of several days failed: WEBHOOK_DISABLE_AFTER_SECONDS."""
    REQUESTED = "requested"
    """A client disabled it."""


class WebhookEndpoint(Base):
    """A URL that receives events. `job_id` is set for an endpoint that a job's request names."""

    __tablename__ = "webhook_endpoints"

    id: Mapped[Uuid7]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), unique=True)
    name: Mapped[str | None]
    url: Mapped[str]
    event_types: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    """Types of the events to send, such as job.succeeded, or patterns, such as job.*."""
    secret: Mapped[bytes]
    previous_secret: Mapped[bytes | None]
    """Also signs deliveries until it expires, so that the receiver can switch to the new secret."""
    previous_secret_expires_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    """A `DisabledReason`; there is no constraint, so that a new reason needs no migration."""
    origin: Mapped[str | None]
    """Scheme, host and port of the URL, if `job_id` is set; null for other endpoints."""
    payload: Mapped[str] = mapped_column(server_default=text("'full'"))
    """A `shared.schemas.webhooks.Payload`."""
    scheme: Mapped[str] = mapped_column(server_default=text("'v1'"))
    """A `shared.webhooks.signatures.Scheme`: with v1a, `secret` is a private key of 32 bytes."""
    failing_since: Mapped[datetime | None]
    """Time of the first failed try after the last success; null if there is none."""

    __table_args__ = (
        CheckConstraint("octet_length(secret) BETWEEN 24 AND 64", name="secret_length"),
        CheckConstraint("octet_length(previous_secret) BETWEEN 24 AND 64", name="previous_secret_length"),
        CheckConstraint(
            "(previous_secret IS NULL) = (previous_secret_expires_at IS NULL)", name="rotation_complete"
        ),
        CheckConstraint("cardinality(event_types) > 0", name="some_event"),
        CheckConstraint("(disabled_at IS NULL) = (disabled_reason IS NULL)", name="reason_when_disabled"),
        Index(None, "project_id"),
    )


class Delivery(Base):
    """One event for one endpoint, written in the transaction of the event.

    An io worker claims a delivery for each try: `tries` grows, and the worker holds it until `next_try_at`.
    Every later write of the try requires that number (a fence), so a late worker changes nothing.
    """

    __tablename__ = "deliveries"

    id: Mapped[Uuid7]
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="CASCADE"))
    job_id: Mapped[UUID | None]
    """The job of the event; null for an event that is not about a job."""
    sequence: Mapped[Small | None]
    """Number of the event among those of the job; a receiver can drop events that arrive late."""
    event_type: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=DeliveryState.PENDING.value)
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    """Number of the last try, incremented with every claim; the fencing token."""
    next_try_at: Mapped[CreatedAt]
    """Time of the next try. While a try is running: the time at which another sender may take over."""
    last_status: Mapped[Small | None]
    last_error: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]
    failures: Mapped[Small] = mapped_column(server_default=text("0"))
    """Number of failed tries. A try whose io worker was killed is none of them."""
    lease_owner: Mapped[str | None]
    """The io worker that sends it now, or was killed while it did; null between two tries."""
    receiver: Mapped[str] = mapped_column(server_default=text("''"))
    """Deliveries of equal receivers share the limits of requests at the same time and per second: the project
    and the endpoint, or, for endpoints of jobs, the project and the origin of the URL."""
    body: Mapped[str | None]
    """The message in JSON, equal for all tries; of a job's event it is made for the first try."""

    __table_args__ = (
        one_of("state", DeliveryState),
        CheckConstraint(
            f"(state = '{DeliveryState.PENDING}') = (finished_at IS NULL)", name="finished_when_final"
        ),
        CheckConstraint("tries >= 0", name="tries_not_negative"),
        CheckConstraint(
            "(job_id IS NULL) = (sequence IS NULL) AND (job_id IS NOT NULL OR body IS NOT NULL)",
            name="job_or_message",
        ),
        CheckConstraint("failures BETWEEN 0 AND tries", name="failures_are_tries"),
        UniqueConstraint("job_id", "sequence", "endpoint_id"),
        ForeignKeyConstraint(
            ["job_id", "sequence"], ["job_events.job_id", "job_events.sequence"], ondelete="CASCADE"
        ),
        Index(
            "ix_deliveries_due_of_receiver",
            "receiver",
            "next_try_at",
            postgresql_where=text(f"state = '{DeliveryState.PENDING}'"),
        ),
        Index(None, "endpoint_id", "id"),
    )


class DeliveryTry(Base):
    """One try of a delivery: what was sent, and what the receiver answered."""

    __tablename__ = "delivery_tries"

    delivery_id: Mapped[UUID] = mapped_column(
        ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    url: Mapped[str]
    signature: Mapped[str]
    """The header `webhook-signature`."""
    sent_at: Mapped[datetime]
    """The header `webhook-timestamp`, with more digits."""
    seconds: Mapped[float]
    status: Mapped[Small | None]
    """HTTP status of the answer; null if there was none."""
    error: Mapped[str | None]
    """A `TryError`; null after a success."""
    answer: Mapped[str | None]
    """The first 1,024 bytes of the answer's body as UTF-8, without U+0000."""

    __table_args__ = (
        CheckConstraint("number > 0", name="number_positive"),
        CheckConstraint("char_length(answer) <= 1024", name="answer_length"),
    )
