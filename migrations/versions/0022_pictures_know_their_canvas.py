"""Pictures know their canvas

Revision: 0022, after 0021. Old code may run beside it: it leaves the new columns empty, and pictures that it composes
cannot be restored.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("images", sa.Column("canvas_id", sa.Uuid(), nullable=True))
    op.add_column("images", sa.Column("canvas_sha256", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_column("images", "canvas_sha256")
    op.drop_column("images", "canvas_id")
