"""Jobs can be retried and deleted

Revision: 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("job_requests", sa.Column("retry_of", sa.Uuid(), nullable=True))
    op.create_index(
        op.f("ix_job_requests_retry_of"),
        "job_requests",
        ["retry_of"],
        postgresql_where=sa.text("retry_of IS NOT NULL"),
    )
    op.create_foreign_key(
        op.f("fk_job_requests_retry_of"), "job_requests", "jobs", ["retry_of"], ["id"], ondelete="SET NULL"
    )
    op.drop_constraint(op.f("fk_usage_records_job_id"), "usage_records", type_="foreignkey")


def downgrade() -> None:
    """Bring the schema back; usage of deleted jobs stays, so the old constraint is not checked for it."""
    op.create_foreign_key(
        op.f("fk_usage_records_job_id"),
        "usage_records",
        "jobs",
        ["job_id"],
        ["id"],
        ondelete="CASCADE",
        postgresql_not_valid=True,
    )
    op.drop_constraint(op.f("fk_job_requests_retry_of"), "job_requests", type_="foreignkey")
    op.drop_index(op.f("ix_job_requests_retry_of"), table_name="job_requests")
    op.drop_column("job_requests", "retry_of")
