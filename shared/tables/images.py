"""Pictures, what they are in tokens, and the candidates that jobs made."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.tables.base import Base, CreatedAt, Small, Uuid7, one_of


class ImageOrigin(StrEnum):
    """How a picture came to be here."""

    UPLOADED = "uploaded"
    GENERATED = "generated"


class Image(Base):
    """One stored picture; its bytes lie in S3 under a key of its own."""

    __tablename__ = "images"

    id: Mapped[Uuid7]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    origin: Mapped[str]
    media_type: Mapped[str]
    storage_key: Mapped[str]
    sha256: Mapped[bytes]
    byte_size: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    """When its bytes were removed; the row stays, so that sessions keep their shape."""

    __table_args__ = (
        one_of("origin", ImageOrigin),
        CheckConstraint("octet_length(sha256) = 32", name="sha256_length"),
        CheckConstraint("width > 0 AND height > 0 AND byte_size > 0", name="sizes_positive"),
        Index(None, "project_id", "id"),
        Index("ix_images_expiring", "expires_at", postgresql_where=text("deleted_at IS NULL")),
    )


class ImageTokens(Base):
    """A picture's token grid at one size: the truth of a generated picture, a cache for an uploaded one."""

    __tablename__ = "image_tokens"

    image_id: Mapped[UUID] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"), primary_key=True)
    tokenizer: Mapped[str] = mapped_column(primary_key=True)
    """Fingerprint of the image tokenizer's weights: codes of another codebook mean other pictures."""
    width: Mapped[int] = mapped_column(primary_key=True)
    height: Mapped[int] = mapped_column(primary_key=True)
    """Pixels of the panel that the picture was fitted to before it was encoded."""
    grid: Mapped[bytes]
    """`TokenGrid.to_bytes()`."""
    sha256: Mapped[bytes]
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("octet_length(sha256) = 32", name="sha256_length"),
        CheckConstraint("octet_length(grid) > 8", name="grid_not_empty"),
    )


class Candidate(Base):
    """One picture of a job's answer. An edit starts at a candidate, so a session is a tree."""

    __tablename__ = "candidates"

    id: Mapped[Uuid7]
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    image_id: Mapped[UUID] = mapped_column(ForeignKey("images.id"), unique=True)
    position: Mapped[Small]
    """0 is the first of the answer."""
    score: Mapped[float | None]
    """Sum of log p_cond - log p_uncond over the picture's tokens: higher fits the prompt better."""
    partial: Mapped[bool] = mapped_column(server_default=text("false"))
    """Drawn only in part, because the job was canceled."""

    __table_args__ = (
        CheckConstraint("position >= 0", name="position_not_negative"),
        UniqueConstraint("job_id", "position"),
        UniqueConstraint("id", "job_id"),
    )
