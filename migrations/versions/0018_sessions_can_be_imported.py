"""Sessions can be imported

Revision: 0018, after 0016. Old code may run beside it: it leaves the new column empty.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("sessions", sa.Column("imported_from", sa.String(), nullable=True))


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_column("sessions", "imported_from")
