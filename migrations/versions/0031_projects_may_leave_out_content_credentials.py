"""Projects may leave out content credentials

Revision: 0031, after 0030. Old code may run beside it: it signs nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column(
        "projects",
        sa.Column("content_credentials", sa.Boolean(), server_default=sa.text("true"), nullable=False),
    )


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_column("projects", "content_credentials")
