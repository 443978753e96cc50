"""Sessions: trees of turns, in which a turn starts from a candidate of an earlier turn."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, func, text
from sqlalchemy import Uuid as UuidType
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from shared.tables.base import Base, CreatedAt, Json, Uuid7


class SessionRow(Base):
    """A session: a tree of edits, and its head, the picture that the next turn starts from.

    The head is `head_candidate_id`; without one it is `root_image_id`; a session without both has no picture
    yet. `head_version` grows with each move of the head, so that a client can detect a move by another one.
    """

    __tablename__ = "sessions"

    id: Mapped[Uuid7]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    title: Mapped[str | None]
    details: Mapped[Json] = mapped_column("metadata", server_default=text("'{}'::jsonb"))
    """The client's labels."""
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[datetime | None]
    note: Mapped[str | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    root_image_id: Mapped[UUID | None] = mapped_column(ForeignKey("images.id"))
    """Picture that the session was created from; null if its first turn draws the first picture."""
    head_candidate_id: Mapped[UUID | None] = mapped_column(ForeignKey("candidates.id", ondelete="SET NULL"))
    head_version: Mapped[int] = mapped_column(server_default=text("1"))
    head_follows: Mapped[int | None]
    """Number of the turn whose first picture becomes the head; null after the head was moved by a client."""
    undone: Mapped[list[UUID]] = mapped_column(ARRAY(UuidType), server_default=text("'{}'::uuid[]"))
    """Heads that were undone, the last one at the end; redo takes it from there."""
    last_number: Mapped[int] = mapped_column(server_default=text("0"))
    """Number of the newest turn."""
    imported_from: Mapped[str | None]
    """Public id of the session whose export this one was imported from; null for one that began here."""

    __table_args__ = (
        Index(None, "project_id", "id"),
        Index(None, "root_image_id", postgresql_where=text("root_image_id IS NOT NULL")),
        CheckConstraint("head_version > 0 AND last_number >= 0", name="counters_not_negative"),
    )


class Turn(Base):
    """One request of a session.

    Two composite foreign keys ensure that the parent belongs to the same session: it is a candidate of
    `parent_job_id`, and that job is a turn of this session. While the parent's job still runs, its first
    candidate does not exist yet, and `parent_candidate_id` is null.
    """

    __tablename__ = "turns"

    id: Mapped[Uuid7]
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    number: Mapped[int]
    """Number in the session in order of submission, from 1, over all branches."""
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), unique=True)
    parent_candidate_id: Mapped[UUID | None]
    parent_job_id: Mapped[UUID | None]
    source_image_id: Mapped[UUID | None] = mapped_column(ForeignKey("images.id"))
    """Picture from which this branch starts: the root of the session."""
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[datetime | None]
    name: Mapped[str | None]
    note: Mapped[str | None]
    details: Mapped[Json] = mapped_column("metadata", server_default=text("'{}'::jsonb"))
    """The client's labels."""

    __table_args__ = (
        UniqueConstraint("session_id", "number"),
        UniqueConstraint("session_id", "job_id"),
        CheckConstraint("number > 0", name="number_positive"),
        CheckConstraint("num_nonnulls(parent_job_id, source_image_id) <= 1", name="one_origin"),
        CheckConstraint(
            "parent_candidate_id IS NULL OR parent_job_id IS NOT NULL", name="candidate_has_its_job"
        ),
        ForeignKeyConstraint(
            ["parent_candidate_id", "parent_job_id"],
            ["candidates.id", "candidates.job_id"],
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(["session_id", "parent_job_id"], ["turns.session_id", "turns.job_id"]),
        Index(None, "parent_candidate_id"),
    )
