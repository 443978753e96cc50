"""Jobs know how their mask is read

Revision: 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("job_requests", sa.Column("mask", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_column("job_requests", "mask")
