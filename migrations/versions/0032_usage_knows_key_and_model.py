"""Usage knows key and model

Revision: 0032, after 0031. Old code may run beside it: it leaves the new columns null. Usage of jobs that it submitted
or finished, and all usage from before, has no key or no model.
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("job_requests", sa.Column("api_key_id", sa.Uuid(), nullable=True))
    op.add_column("usage_records", sa.Column("api_key_id", sa.Uuid(), nullable=True))
    op.add_column("usage_records", sa.Column("model", sa.String(), nullable=True))


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_column("usage_records", "model")
    op.drop_column("usage_records", "api_key_id")
    op.drop_column("job_requests", "api_key_id")
