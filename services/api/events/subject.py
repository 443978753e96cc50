"""What an event stream is about: a set of jobs, as a SQL condition and for events that are already read."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select, true

from services.api.events.repository import EventRecord
from shared.tables import JobEventRow, Turn


@dataclass(frozen=True)
class Subject:
    """All jobs of a project, or those of one of its sessions, or one job."""

    project_id: UUID
    session_id: UUID | None = None
    job_id: UUID | None = None

    def condition(self) -> ColumnElement[bool]:
        """The events of these jobs."""
        return and_(
            JobEventRow.project_id == self.project_id,
            true() if self.job_id is None else JobEventRow.job_id == self.job_id,
            true()
            if self.session_id is None
            else JobEventRow.job_id.in_(select(Turn.job_id).where(Turn.session_id == self.session_id)),
        )

    def has(self, project_id: UUID, session_id: UUID | None, job_id: UUID) -> bool:
        """Whether a job is one of these."""
        return (
            project_id == self.project_id
            and self.session_id in (None, session_id)
            and self.job_id in (None, job_id)
        )

    def is_about(self, record: EventRecord) -> bool:
        """Whether an event's job is one of these."""
        return self.has(record.project_id, record.session_id, record.position.job_id)
