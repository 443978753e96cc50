"""Jobs and workers know their numerics identity

Revision: 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

JOB_TEXTS = ("wanted_numerics", "numerics", "checkpoint_numerics", "numerics_before")


def upgrade() -> None:
    """Bring the schema forward."""
    for name in JOB_TEXTS:
        op.add_column("jobs", sa.Column(name, sa.String(), nullable=True))
    op.add_column("jobs", sa.Column("numerics_attempt", sa.SmallInteger(), nullable=True))
    op.add_column("workers", sa.Column("numerics", sa.String(), nullable=True))
    op.add_column("workers", sa.Column("left_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_column("workers", "left_at")
    op.drop_column("workers", "numerics")
    op.drop_column("jobs", "numerics_attempt")
    for name in reversed(JOB_TEXTS):
        op.drop_column("jobs", name)
