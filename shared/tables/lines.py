"""The lines in which jobs wait for their first start."""

from uuid import UUID

from sqlalchemy import ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shared.jobs import Queue
from shared.tables.base import Base, Small, one_of


class WaitingLine(Base):
    """The line of one project's jobs that the same workers may start; its jobs have its id in `Job.line`.

    A trigger on `jobs` creates a job's line, and claims delete a line that is empty. See
    docs/decisions/0017-claims-look-at-heads-of-lines.md.
    """

    __tablename__ = "waiting_lines"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    queue: Mapped[str]
    priority: Mapped[Small]
    model: Mapped[str]
    """The only model that may draw the jobs; empty for any."""
    wanted_numerics: Mapped[str]
    """The only numerics identity that may draw the jobs; empty for any."""
    head: Mapped[UUID]
    """The oldest job of the line, or an older one that waits no more; never a younger one."""

    __table_args__ = (
        one_of("queue", Queue),
        UniqueConstraint(
            "project_id", "queue", "priority", "model", "wanted_numerics", name="uq_waiting_lines_kind"
        ),
        Index(
            "ix_waiting_lines_fair_order",
            "priority",
            "queue",
            "model",
            "wanted_numerics",
            "head",
        ),
        {
            "postgresql_with": {
                "fillfactor": "50",
                "autovacuum_vacuum_scale_factor": "0",
                "autovacuum_vacuum_threshold": "200",
                "autovacuum_vacuum_cost_delay": "0",
            }
        },
    )
