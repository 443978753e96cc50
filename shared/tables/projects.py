"""Projects and their API keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from shared.tables.base import Base, CreatedAt, Uuid7


class Project(Base):
    """Owner of keys, jobs and pictures; workers are shared fairly between projects."""

    __tablename__ = "projects"

    id: Mapped[Uuid7]
    name: Mapped[str] = mapped_column(unique=True)
    webhook_secret: Mapped[bytes]
    """Signs webhooks of endpoints that a job's request names; other endpoints have their own secrets."""
    max_queued_jobs: Mapped[int | None]
    """Overrides GATEWAY_MAX_QUEUED_JOBS if it is not null."""
    requests_per_minute: Mapped[int | None]
    created_at: Mapped[CreatedAt]
    disabled_at: Mapped[datetime | None]
    previous_webhook_secret: Mapped[bytes | None]
    """Also signs until it expires, so that receivers can switch to the new secret."""
    previous_webhook_secret_expires_at: Mapped[datetime | None]
    retain_uploads_seconds: Mapped[int | None]
    """Overrides RETENTION_UPLOADS_SECONDS if it is not null; -1 means for ever. The next four are alike."""
    retain_results_seconds: Mapped[int | None]
    retain_previews_seconds: Mapped[int | None]
    retain_events_seconds: Mapped[int | None]
    retain_checkpoints_seconds: Mapped[int | None]
    weight: Mapped[int] = mapped_column(server_default=text("1"))
    """Share of the slots while several projects wait: with weight 3, three times as much as with weight 1."""
    max_running_jobs: Mapped[int | None]
    """Jobs that may run at the same time; null for any number."""
    fingerprints: Mapped[bool] = mapped_column(server_default=text("true"))
    """Whether its pictures are added to the registry, if PROVENANCE_FINGERPRINTS is on."""
    max_storage_bytes: Mapped[int | None]
    """Bytes of kept pictures; null for any number."""
    pictures_per_day: Mapped[int | None]
    """Pictures that jobs of one day (UTC) may ask for; null for any number."""
    content_credentials: Mapped[bool] = mapped_column(server_default=text("true"))
    """Whether its pictures are signed when they are sent, if PROVENANCE_CONTENT_CREDENTIALS is on."""

    __table_args__ = (
        CheckConstraint("octet_length(webhook_secret) BETWEEN 24 AND 64", name="webhook_secret_length"),
        CheckConstraint(
            "octet_length(previous_webhook_secret) BETWEEN 24 AND 64", name="previous_webhook_secret_length"
        ),
        CheckConstraint(
            "(previous_webhook_secret IS NULL) = (previous_webhook_secret_expires_at IS NULL)",
            name="webhook_rotation_complete",
        ),
        CheckConstraint("max_queued_jobs > 0", name="max_queued_jobs_positive"),
        CheckConstraint("requests_per_minute > 0", name="requests_per_minute_positive"),
        CheckConstraint("weight BETWEEN 1 AND 1000", name="weight_in_range"),
        CheckConstraint("max_running_jobs > 0", name="max_running_jobs_positive"),
        CheckConstraint("max_storage_bytes > 0", name="max_storage_bytes_positive"),
        CheckConstraint("pictures_per_day > 0", name="pictures_per_day_positive"),
        Index(
            "ix_projects_special",
            "id",
            postgresql_where=text("weight <> 1 OR max_running_jobs IS NOT NULL"),
        ),
        CheckConstraint(
            "LEAST(retain_uploads_seconds, retain_results_seconds, retain_previews_seconds,"
            " retain_events_seconds, retain_checkpoints_seconds) >= -1"
            " AND GREATEST(retain_uploads_seconds, retain_results_seconds, retain_previews_seconds,"
            " retain_events_seconds, retain_checkpoints_seconds) <= 3162240000",
            name="retention_in_range",
        ),
    )


class ApiKey(Base):
    """An API key, stored only as its SHA-256; its 256 random bits need no slow hash."""

    __tablename__ = "api_keys"

    id: Mapped[Uuid7]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str]
    hint: Mapped[str]
    """First characters of the token, to distinguish keys in a list."""
    sha256: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(
        ARRAY(TEXT), server_default=text("'{read,write,webhooks}'::text[]")
    )
    """What the key may do: `services.api.auth.scopes.Scope`."""
    created_at: Mapped[CreatedAt]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    allowed_networks: Mapped[list[str]] = mapped_column(ARRAY(TEXT), server_default=text("'{}'::text[]"))
    """Networks in CIDR notation from which the key may be used; empty for any."""
    replaces: Mapped[UUID | None] = mapped_column(ForeignKey("api_keys.id", ondelete="SET NULL"), unique=True)
    """The key that a rotation replaced with this one."""

    __table_args__ = (
        CheckConstraint("octet_length(sha256) = 32", name="sha256_length"),
        Index(None, "project_id"),
    )
