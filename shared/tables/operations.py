"""Idempotency records of the gateway, and the workers that are alive."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from shared.tables.base import Base, CreatedAt, Json, Small


class IdempotencyRecord(Base):
    """The first request with a key, and its answer once there is one; none yet means it is in flight."""

    __tablename__ = "idempotency_records"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[bytes]
    """Of method, path and body: the same key with another request is refused."""
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    response_status: Mapped[Small | None]
    response_headers: Mapped[Json | None]
    response_body: Mapped[Json | None]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]

    __table_args__ = (
        CheckConstraint("octet_length(key) BETWEEN 1 AND 255", name="key_length"),
        CheckConstraint("octet_length(request_sha256) = 32", name="request_sha256_length"),
        CheckConstraint(
            "num_nulls(response_status, response_headers, response_body) IN (0, 3)", name="response_complete"
        ),
        Index(None, "expires_at"),
    )


class WorkerRow(Base):
    """A worker that reported; one that is silent for a lease is taken for dead."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    queues: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    slots: Mapped[Small]
    model: Mapped[Json]
    """What the models resource shows: name, tasks, sizes, precision."""
    tokens_per_second: Mapped[float | None]
    draining: Mapped[bool] = mapped_column(server_default=text("false"))
    started_at: Mapped[CreatedAt]
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        CheckConstraint("slots > 0", name="slots_positive"),
        CheckConstraint("cardinality(queues) > 0", name="some_queue"),
    )
