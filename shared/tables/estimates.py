"""When open jobs are expected to be done, and what was first expected of them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from shared.tables.base import Base, CreatedAt


class JobEstimate(Base):
    """The estimate of one job. It stays after the job has ended, to compare it with what came true.

    There is no foreign key: inserting many rows would lock as many jobs.
    """

    __tablename__ = "job_estimates"

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    done_p50: Mapped[datetime]
    """Time before which the job is done with a probability of a half."""
    done_p90: Mapped[datetime]
    """Time before which the job is done with a probability of nine in ten."""
    created_at: Mapped[CreatedAt]
    """Time of the first estimate."""
    waiting_base: Mapped[float | None]
    """Seconds of the forecast at the first estimate while the job waited, before it was corrected by the
    errors of past forecasts; null if the job was running already. The next two are the corrected ones."""
    waiting_p50: Mapped[float | None]
    waiting_p90: Mapped[float | None]
    running_at: Mapped[datetime | None]
    """Time of the first estimate while the job was running."""
    running_base: Mapped[float | None]
    running_p50: Mapped[float | None]
    running_p90: Mapped[float | None]

    __table_args__ = (
        CheckConstraint("done_p50 <= done_p90", name="p50_before_p90"),
        Index(None, "created_at"),
    )
