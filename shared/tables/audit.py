"""The audit log: who changed what, and from where."""

from uuid import UUID

from sqlalchemy import DDL, Index, event, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.tables.base import Base, CreatedAt, Json, Uuid7


class AuditEntry(Base):
    """One change. Triggers refuse to change or delete a row, and there is no foreign key that would."""

    __tablename__ = "audit_log"

    id: Mapped[Uuid7]
    created_at: Mapped[CreatedAt]
    action: Mapped[str]
    """What was done, such as `api_key.revoked`."""
    target: Mapped[str]
    """Public id of what was changed."""
    project_id: Mapped[UUID | None]
    """The project that was changed, or that the target belongs to; null for the whole installation."""
    key_id: Mapped[UUID | None]
    """The key of the request; null for an operator at the machine."""
    key_name: Mapped[str | None]
    """The key's name at that time."""
    address: Mapped[str | None]
    """Address of the client; null for an operator at the machine."""
    request_id: Mapped[str | None]
    details: Mapped[Json] = mapped_column(server_default=text("'{}'::jsonb"))
    """What has changed, without secrets."""

    __table_args__ = (Index(None, "project_id", "id"),)


REFUSE = """
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log can only be added to' USING ERRCODE = 'insufficient_privilege';
END $$
"""
KEEP_ROWS = """
CREATE TRIGGER audit_log_keeps_rows BEFORE UPDATE OR DELETE ON audit_log
FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()
"""
KEEP_TABLE = """
CREATE TRIGGER audit_log_keeps_all BEFORE TRUNCATE ON audit_log
FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()
"""

for statement in (REFUSE, KEEP_ROWS, KEEP_TABLE):
    event.listen(Base.metadata, "after_create", DDL(statement))
event.listen(Base.metadata, "after_drop", DDL("DROP FUNCTION IF EXISTS refuse_audit_change"))
