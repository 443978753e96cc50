"""Read the audit log."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.api.audit.schemas import AuditActor, AuditLog, AuditLogEntry
from shared.ids import IdKind, format_id
from shared.tables import AuditEntry


@dataclass(frozen=True)
class AuditFilter:
    """Conditions on entries; None for all."""

    project_id: UUID | None
    key_id: UUID | None = None
    action: str | None = None
    target: str | None = None


def list_entries(session: Session, wanted: AuditFilter, older_than: UUID | None, limit: int) -> AuditLog:
    """A page of the log, newest first."""
    conditions = {
        AuditEntry.project_id: wanted.project_id,
        AuditEntry.key_id: wanted.key_id,
        AuditEntry.action: wanted.action,
        AuditEntry.target: wanted.target,
    }
    statement = select(AuditEntry).where(
        *(column == value for column, value in conditions.items() if value is not None)
    )
    if older_than is not None:
        statement = statement.where(AuditEntry.id < older_than)
    rows = session.scalars(statement.order_by(AuditEntry.id.desc()).limit(limit + 1)).all()
    data = [view_entry(row) for row in rows[:limit]]
    more = len(rows) > limit
    return AuditLog(data=data, has_more=more, next_cursor=data[-1].id if more else None)


def view_entry(row: AuditEntry) -> AuditLogEntry:
    """The entry as the API shows it."""
    return AuditLogEntry(
        id=format_id(IdKind.AUDIT_ENTRY, row.id),
        created_at=row.created_at,
        action=row.action,
        target=row.target,
        project_id=row.project_id and format_id(IdKind.PROJECT, row.project_id),
        actor=AuditActor(
            type="operator" if row.key_id is None else "api_key",
            api_key_id=row.key_id and format_id(IdKind.API_KEY, row.key_id),
            api_key_name=row.key_name,
            address=row.address,
        ),
        request_id=row.request_id,
        details=row.details,
    )
