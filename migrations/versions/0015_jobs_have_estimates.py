"""Jobs have estimates

Revision: 0015, after 0014.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    time, seconds = sa.DateTime(timezone=True), sa.Float()
    op.create_table(
        "job_estimates",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("done_p50", time, nullable=False),
        sa.Column("done_p90", time, nullable=False),
        sa.Column("created_at", time, server_default=sa.text("now()"), nullable=False),
        sa.Column("waiting_base", seconds, nullable=True),
        sa.Column("waiting_p50", seconds, nullable=True),
        sa.Column("waiting_p90", seconds, nullable=True),
        sa.Column("running_at", time, nullable=True),
        sa.Column("running_base", seconds, nullable=True),
        sa.Column("running_p50", seconds, nullable=True),
        sa.Column("running_p90", seconds, nullable=True),
        sa.CheckConstraint("done_p50 <= done_p90", name=op.f("ck_job_estimates_p50_before_p90")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_estimates")),
    )
    op.create_index("ix_job_estimates_created_at", "job_estimates", ["created_at"])


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_table("job_estimates")
