"""Jobs know the model that they ask for

Revision: 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("jobs", sa.Column("model", sa.String(), nullable=True))
    # only what waits is still to be claimed
    op.execute("""UPDATE jobs SET model = request ->> 'model' FROM job_requests
        WHERE job_requests.job_id = jobs.id AND state = 'queued' AND request ->> 'model' IS NOT NULL""")


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_column("jobs", "model")
