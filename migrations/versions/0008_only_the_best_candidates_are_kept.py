"""Only the best candidates are kept

Revision: 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("candidates", sa.Column("drawn_index", sa.SmallInteger(), nullable=True))
    op.add_column("jobs", sa.Column("scores", postgresql.ARRAY(sa.Float()), nullable=True))


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_column("jobs", "scores")
    op.drop_column("candidates", "drawn_index")
