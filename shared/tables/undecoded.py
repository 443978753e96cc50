"""Pictures of canceled jobs whose codes are still to be decoded."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.tables.base import Base, CreatedAt, Json, Small


class UndecodedPicture(Base):
    """One candidate of a job that was canceled before its codes were decoded.

    The transaction that cancels the job inserts the row; the one that adds the picture deletes it. The row
    contains everything that decoding needs, so any worker with the image tokenizer can do it.
    """

    __tablename__ = "undecoded_pictures"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[Small] = mapped_column(primary_key=True)
    """Index among the candidates."""
    grid: Mapped[bytes]
    """`TokenGrid.to_bytes()` of the completely drawn rows."""
    png_text: Mapped[Json]
    """Text chunks of the PNG about how it was drawn, by keyword."""
    score: Mapped[float | None]
    partial: Mapped[bool]
    tries: Mapped[Small] = mapped_column(server_default=text("0"))
    available_at: Mapped[CreatedAt]
    """Time before which the row is not taken: a worker is decoding it, or a retry waits."""
    taken_by: Mapped[UUID | None]
    """The fencing token, a new one each time the row is taken."""
    created_at: Mapped[CreatedAt]

    __table_args__ = (
        CheckConstraint("position >= 0 AND tries >= 0", name="numbers_not_negative"),
        CheckConstraint("octet_length(grid) > 8", name="grid_not_empty"),
        Index(None, "available_at"),
    )
