"""Responses of OpenAI's API: what a client sent and is shown again. All else follows from the job."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.tables.base import Base, CreatedAt, Json, Uuid7


class ResponseRow(Base):
    """A stored response: a turn of a session, or a short text. A turn's response has the id of its job.

    The status of a drawn response and its picture are read from the job, so no process has to keep them.
    """

    __tablename__ = "responses"

    id: Mapped[Uuid7]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    session_id: Mapped[UUID | None] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    """The conversation; null for a text outside of any."""
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    """The job whose picture the next response starts from: the own one, or for a text that of the response
    before it."""
    previous_id: Mapped[UUID | None]
    """The response that the client named as the one before. No foreign key: it may be deleted."""
    request: Mapped[Json]
    """Fields of the request that a response shows."""
    input: Mapped[Json]
    """`items`: the input without its pictures."""
    text: Mapped[str | None]
    """The answer, if it is a text; null for a drawing."""
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("text IS NOT NULL OR (job_id IS NOT NULL AND job_id = id)", name="text_or_job"),
        Index(None, "project_id", "id"),
        Index(None, "session_id", "id"),
        Index(None, "job_id"),
    )
