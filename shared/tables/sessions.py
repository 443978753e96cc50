"""Sessions: trees of turns, where a turn starts at a candidate of an earlier one."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.tables.base import Base, CreatedAt, Json, Uuid7


class SessionRow(Base):
    """A conversation about pictures."""

    __tablename__ = "sessions"

    id: Mapped[Uuid7]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    title: Mapped[str | None]
    details: Mapped[Json] = mapped_column("metadata", server_default=text("'{}'::jsonb"))
    """The client's own metadata."""
    created_at: Mapped[CreatedAt]
    deleted_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "project_id", "id"),)


class Turn(Base):
    """One request of a session.

    The two composite foreign keys make a parent of another session impossible: the parent is a candidate of
    `parent_job_id`, and that job is a turn of this session.
    """

    __tablename__ = "turns"

    id: Mapped[Uuid7]
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    number: Mapped[int]
    """1 is the session's first turn, in order of asking, whatever the branch."""
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), unique=True)
    parent_candidate_id: Mapped[UUID | None]
    parent_job_id: Mapped[UUID | None]
    source_image_id: Mapped[UUID | None] = mapped_column(ForeignKey("images.id"))
    """An uploaded picture that this branch starts from."""
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        UniqueConstraint("session_id", "number"),
        UniqueConstraint("session_id", "job_id"),
        CheckConstraint("number > 0", name="number_positive"),
        CheckConstraint("num_nonnulls(parent_candidate_id, source_image_id) <= 1", name="one_origin"),
        CheckConstraint("(parent_candidate_id IS NULL) = (parent_job_id IS NULL)", name="parent_complete"),
        ForeignKeyConstraint(
            ["parent_candidate_id", "parent_job_id"],
            ["candidates.id", "candidates.job_id"],
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(["session_id", "parent_job_id"], ["turns.session_id", "turns.job_id"]),
        Index(None, "parent_candidate_id"),
    )
