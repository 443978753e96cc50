"""Webhook endpoints are managed

Revision: 0011, after 0010.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("projects", sa.Column("previous_webhook_secret", sa.LargeBinary(), nullable=True))
    op.add_column("projects", sa.Column("previous_webhook_secret_expires_at", TIME, nullable=True))
    op.create_check_constraint(
        op.f("ck_projects_previous_webhook_secret_length"),
        "projects",
        "octet_length(previous_webhook_secret) BETWEEN 24 AND 64",
    )
    op.create_check_constraint(
        op.f("ck_projects_webhook_rotation_complete"),
        "projects",
        "(previous_webhook_secret IS NULL) = (previous_webhook_secret_expires_at IS NULL)",
    )
    op.add_column(
        "webhook_endpoints",
        sa.Column("payload", sa.String(), server_default=sa.text("'full'"), nullable=False),
    )
    op.add_column(
        "webhook_endpoints", sa.Column("scheme", sa.String(), server_default=sa.text("'v1'"), nullable=False)
    )
    op.add_column("webhook_endpoints", sa.Column("failing_since", TIME, nullable=True))
    op.alter_column("deliveries", "job_id", existing_type=sa.Uuid(), nullable=True)
    op.alter_column("deliveries", "sequence", existing_type=sa.SmallInteger(), nullable=True)
    op.create_check_constraint(
        op.f("ck_deliveries_job_or_message"),
        "deliveries",
        "(job_id IS NULL) = (sequence IS NULL) AND (job_id IS NOT NULL OR body IS NOT NULL)",
    )


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_constraint(op.f("ck_deliveries_job_or_message"), "deliveries")
    op.execute("DELETE FROM deliveries WHERE job_id IS NULL")
    op.alter_column("deliveries", "sequence", existing_type=sa.SmallInteger(), nullable=False)
    op.alter_column("deliveries", "job_id", existing_type=sa.Uuid(), nullable=False)
    for name in ("failing_since", "scheme", "payload"):
        op.drop_column("webhook_endpoints", name)
    op.drop_constraint(op.f("ck_projects_webhook_rotation_complete"), "projects")
    op.drop_constraint(op.f("ck_projects_previous_webhook_secret_length"), "projects")
    op.drop_column("projects", "previous_webhook_secret_expires_at")
    op.drop_column("projects", "previous_webhook_secret")
