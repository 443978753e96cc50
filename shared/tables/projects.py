"""Projects and their API keys: who may call, and how much."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from shared.tables.base import Base, CreatedAt, Uuid7


class Project(Base):
    """Everything belongs to a project, and fairness is between projects."""

    __tablename__ = "projects"

    id: Mapped[Uuid7]
    name: Mapped[str] = mapped_column(unique=True)
    webhook_secret: Mapped[bytes]
    """Signs webhooks that a job names itself; endpoints have secrets of their own."""
    max_queued_jobs: Mapped[int | None]
    """Overrides the gateway's setting; null does not."""
    requests_per_minute: Mapped[int | None]
    created_at: Mapped[CreatedAt]
    disabled_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("octet_length(webhook_secret) BETWEEN 24 AND 64", name="webhook_secret_length"),
        CheckConstraint("max_queued_jobs > 0", name="max_queued_jobs_positive"),
        CheckConstraint("requests_per_minute > 0", name="requests_per_minute_positive"),
    )


class ApiKey(Base):
    """A bearer token, kept only as its SHA-256; the token has enough entropy to need no slow hash."""

    __tablename__ = "api_keys"

    id: Mapped[Uuid7]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str]
    hint: Mapped[str]
    """The first characters, to tell keys apart in a list."""
    sha256: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(TEXT), server_default=text("'{}'::text[]"))
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("octet_length(sha256) = 32", name="sha256_length"),
        Index(None, "project_id"),
    )
