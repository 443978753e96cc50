"""Files and batches of OpenAI's clients."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.tables.base import Base, CreatedAt, Json, Uuid7, in_states, one_of


class OpenAIFile(Base):
    """A file that a client has uploaded, or that a batch has written: a picture, or an object of its own."""

    __tablename__ = "openai_files"

    id: Mapped[Uuid7]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    purpose: Mapped[str]
    """What the client said: `vision`, `batch` and so on; `batch_output` for results of a batch."""
    file_name: Mapped[str]
    byte_size: Mapped[int]
    image_id: Mapped[UUID | None] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"))
    """The picture; null for a file that is none."""
    storage_key: Mapped[str | None]
    """Folder of the objects that the file is cut into; null for a picture, which has an object of its own."""
    part_bytes: Mapped[int | None]
    """Size of each of these objects but the last."""
    created_at: Mapped[CreatedAt]
    stored_at: Mapped[datetime | None]
    """Time at which the object was stored; until then nobody sees the file."""
    expires_at: Mapped[datetime | None]
    """Time after which a gateway deletes objects and row."""

    __table_args__ = (
        CheckConstraint("num_nonnulls(image_id, storage_key) = 1", name="one_content"),
        CheckConstraint("(storage_key IS NULL) = (part_bytes IS NULL)", name="parts_have_a_size"),
        CheckConstraint("byte_size >= 0", name="size_not_negative"),
        Index(None, "project_id", "id"),
        Index("ix_openai_files_expiring", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
        Index("ix_openai_files_image_id", "image_id", postgresql_where=text("image_id IS NOT NULL")),
        Index("ix_openai_files_unstored", "created_at", postgresql_where=text("stored_at IS NULL")),
    )


class BatchState(StrEnum):
    """State of a batch, in OpenAI's words."""

    VALIDATING = "validating"
    FAILED = "failed"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


ENDED_BATCHES = frozenset({BatchState.FAILED, BatchState.COMPLETED, BatchState.EXPIRED, BatchState.CANCELLED})


class LineState(StrEnum):
    """State of one request of a batch."""

    WAITING = "waiting"
    """No job is queued for it yet."""
    QUEUED = "queued"
    """Its job waits or runs."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class OpenAIBatch(Base):
    """A batch: the requests of a file, drawn as jobs of low priority.

    A gateway takes a batch for one step at a time; `taken_by` fences what the step writes.
    """

    __tablename__ = "openai_batches"

    id: Mapped[Uuid7]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    key_id: Mapped[UUID]
    """The `ApiKey` that ordered the batch; its jobs are submitted in its name. No foreign key: keys go."""
    state: Mapped[str] = mapped_column(server_default=BatchState.VALIDATING.value)
    endpoint: Mapped[str]
    input_file_id: Mapped[UUID]
    """An `OpenAIFile`; no foreign key, because the file may be deleted when its lines are read."""
    output_file_id: Mapped[UUID | None]
    error_file_id: Mapped[UUID | None]
    completion_window: Mapped[str]
    details: Mapped[Json] = mapped_column("metadata", server_default=text("'{}'::jsonb"))
    """The client's labels."""
    errors: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    """What is wrong with the input file."""
    read_bytes: Mapped[int] = mapped_column(server_default=text("0"))
    """How much of the input file was read."""
    total: Mapped[int] = mapped_column(server_default=text("0"))
    succeeded: Mapped[int] = mapped_column(server_default=text("0"))
    failed: Mapped[int] = mapped_column(server_default=text("0"))
    ending: Mapped[str | None]
    """The state in which the batch ends before all of its requests are done: expired or cancelled."""
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[datetime]
    in_progress_at: Mapped[datetime | None]
    cancelling_at: Mapped[datetime | None]
    finalizing_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    due_at: Mapped[CreatedAt]
    """Time of the next step. While a step is running: the time at which another gateway may take over."""
    taken_by: Mapped[UUID | None]
    """The fencing token, a new one for each step."""

    __table_args__ = (
        one_of("state", BatchState),
        CheckConstraint(f"({in_states(ENDED_BATCHES)}) = (ended_at IS NOT NULL)", name="ended_when_final"),
        CheckConstraint(
            "LEAST(read_bytes, succeeded, failed) >= 0 AND succeeded + failed <= total", name="counts_add_up"
        ),
        Index(None, "project_id", "id"),
        Index("ix_openai_batches_due", "due_at", postgresql_where=text("ended_at IS NULL")),
    )


class OpenAIBatchLine(Base):
    """One request of a batch. The rows go when the batch has written its files."""

    __tablename__ = "openai_batch_lines"

    batch_id: Mapped[UUID] = mapped_column(
        ForeignKey("openai_batches.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    """Number of the line in the input file, from 1."""
    custom_id: Mapped[str]
    start: Mapped[int]
    """Place of the line in the input file, in bytes."""
    size: Mapped[int]
    state: Mapped[str] = mapped_column(server_default=LineState.WAITING.value)
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """Status and `error` of the response; null while there is none, or for a success."""

    __table_args__ = (
        one_of("state", LineState),
        CheckConstraint("number > 0 AND start >= 0 AND size > 0", name="place_in_file"),
        UniqueConstraint("batch_id", "custom_id"),
        Index(
            "ix_openai_batch_lines_open",
            "batch_id",
            "state",
            "number",
            postgresql_where=text(f"state IN ('{LineState.QUEUED}', '{LineState.WAITING}')"),
        ),
        Index("ix_openai_batch_lines_job_id", "job_id", postgresql_where=text("job_id IS NOT NULL")),
    )
