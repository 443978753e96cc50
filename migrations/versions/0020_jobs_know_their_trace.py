"""Jobs know their trace

Revision: 0020, after 0019. Old code may run beside it: it leaves the new column empty, and its jobs untraced.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("jobs", sa.Column("traceparent", sa.String(), nullable=True))


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_column("jobs", "traceparent")
