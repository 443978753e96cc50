"""Webhook endpoints and the outbox of deliveries."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from shared.tables.base import Base, CreatedAt, Small, Uuid7, one_of


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    """Every try of the schedule failed."""
    ABANDONED = "abandoned"
    """The receiver said to stop, or its endpoint was disabled."""


class WebhookEndpoint(Base):
    """Where events go. `job_id` is set for the one that a single job named in its request."""

    __tablename__ = "webhook_endpoints"

    id: Mapped[Uuid7]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), unique=True)
    name: Mapped[str | None]
    url: Mapped[str]
    event_types: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    """Wanted types, such as job.succeeded."""
    secret: Mapped[bytes]
    previous_secret: Mapped[bytes | None]
    """Signs too until it expires, so that a receiver can change over."""
    previous_secret_expires_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]

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
    """One event for one endpoint, written in the transaction of the event itself."""

    __tablename__ = "deliveries"

    id: Mapped[Uuid7]
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="CASCADE"))
    job_id: Mapped[UUID]
    sequence: Mapped[Small]
    """With `job_id`, the event; a receiver can drop what comes late."""
    event_type: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=DeliveryState.PENDING.value)
    tries: Mapped[Small] = mapped_column(server_default=text("0"))
    next_try_at: Mapped[CreatedAt]
    """For a claimed delivery: when another sender may take it."""
    last_status: Mapped[Small | None]
    last_error: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        one_of("state", DeliveryState),
        CheckConstraint(
            f"(state = '{DeliveryState.PENDING}') = (finished_at IS NULL)", name="finished_when_final"
        ),
        CheckConstraint("tries >= 0", name="tries_not_negative"),
        UniqueConstraint("job_id", "sequence", "endpoint_id"),
        ForeignKeyConstraint(
            ["job_id", "sequence"], ["job_events.job_id", "job_events.sequence"], ondelete="CASCADE"
        ),
        Index(
            "ix_deliveries_due", "next_try_at", postgresql_where=text(f"state = '{DeliveryState.PENDING}'")
        ),
        Index(None, "endpoint_id", "id"),
    )
