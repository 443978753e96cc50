"""Idempotency records and link keys of the gateway, the workers, and the periodic searches of io workers."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from shared.tables.base import Base, CreatedAt, Json, Small, Uuid7


class IdempotencyRecord(Base):
    """The first request with an Idempotency-Key, and its answer; null until the request is done."""

    __tablename__ = "idempotency_records"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[bytes]
    """Hash of method, path and body; another request with the same key is refused."""
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
    """A worker. Without a heartbeat for the time of a lease it counts as lost."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    queues: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    slots: Mapped[Small]
    model: Mapped[Json]
    """Description of the model for `GET /v1/models`: name, tasks, sizes, precision, parts of the identity."""
    tokens_per_second: Mapped[float | None]
    draining: Mapped[bool] = mapped_column(server_default=text("false"))
    started_at: Mapped[CreatedAt]
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=func.now())
    numerics: Mapped[str | None]
    """Numerics identity of the worker's pictures; null until its image tokenizer has answered."""
    left_at: Mapped[datetime | None]
    """Time at which the worker ended or was found lost. The row stays for a while, so that jobs wait for its
    successor."""

    __table_args__ = (
        CheckConstraint("slots > 0", name="slots_positive"),
        CheckConstraint("cardinality(queues) > 0", name="some_queue"),
    )


class Search(Base):
    """A periodic search that one io worker at a time goes on with, from where the last one stopped."""

    __tablename__ = "searches"

    name: Mapped[str] = mapped_column(primary_key=True)
    """A `shared.job_store.searches.SearchName`."""
    position: Mapped[str] = mapped_column(server_default=text("''"))
    """What was searched last; empty at the beginning."""
    due_at: Mapped[CreatedAt]
    """Time of the next step. While a step is running: the time at which another io worker may take over."""
    taken_by: Mapped[UUID | None]
    """The fencing token, a new one for each step."""


class LinkKey(Base):
    """A key of the gateway that signs addresses of pictures. Each gateway makes a new one in time."""

    __tablename__ = "link_keys"

    id: Mapped[Uuid7]
    secret: Mapped[bytes]
    created_at: Mapped[CreatedAt]

    __table_args__ = (CheckConstraint("octet_length(secret) = 32", name="secret_length"),)
