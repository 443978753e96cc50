"""Keys have scopes, networks and rotations; projects have more limits; changes are logged

Revision: 0028, after 0027. Old code may run beside it: it does not look at scopes, and keys that it creates may read,
write and manage webhooks, as all keys before.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

USUAL_SCOPES = "'{read,write,webhooks}'::text[]"
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


def upgrade() -> None:
    """Bring the schema forward."""
    for name in ("max_storage_bytes", "pictures_per_day"):
        op.add_column("projects", sa.Column(name, sa.BigInteger(), nullable=True))
        op.create_check_constraint(op.f(f"ck_projects_{name}_positive"), "projects", f"{name} > 0")
    op.alter_column("api_keys", "scopes", server_default=sa.text(USUAL_SCOPES))
    op.execute(f"UPDATE api_keys SET scopes = {USUAL_SCOPES}")
    op.add_column(
        "api_keys",
        sa.Column(
            "allowed_networks",
            postgresql.ARRAY(sa.TEXT()),
            server_default=sa.text("'{}'::text[]"),
            nullable=False,
        ),
    )
    op.add_column("api_keys", sa.Column("replaces", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_api_keys_replaces"), "api_keys", "api_keys", ["replaces"], ["id"], ondelete="SET NULL"
    )
    op.create_unique_constraint(op.f("uq_api_keys_replaces"), "api_keys", ["replaces"])
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("key_name", sa.String(), nullable=True),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column(
            "details",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index(op.f("ix_audit_log_project_id_id"), "audit_log", ["project_id", "id"])
    op.execute(REFUSE)
    op.execute(KEEP_ROWS)
    op.execute(KEEP_TABLE)


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_table("audit_log")
    op.execute("DROP FUNCTION refuse_audit_change")
    op.drop_constraint(op.f("uq_api_keys_replaces"), "api_keys", type_="unique")
    op.drop_constraint(op.f("fk_api_keys_replaces"), "api_keys", type_="foreignkey")
    op.drop_column("api_keys", "replaces")
    op.drop_column("api_keys", "allowed_networks")
    op.alter_column("api_keys", "scopes", server_default=sa.text("'{}'::text[]"))
    for name in ("pictures_per_day", "max_storage_bytes"):
        op.drop_constraint(op.f(f"ck_projects_{name}_positive"), "projects", type_="check")
        op.drop_column("projects", name)
