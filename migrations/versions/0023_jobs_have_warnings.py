"""Jobs have warnings

Revision: 0023, after 0022. Old code may run beside it: its jobs have no warnings, and its edits do not say how many
cells they changed.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column(
        "job_requests",
        sa.Column("warnings", JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
    )
    op.add_column("candidates", sa.Column("changed_cells", sa.BigInteger(), nullable=True))
    op.create_check_constraint(
        op.f("ck_candidates_changed_cells_not_negative"), "candidates", "changed_cells >= 0"
    )


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_constraint(op.f("ck_candidates_changed_cells_not_negative"), "candidates")
    op.drop_column("candidates", "changed_cells")
    op.drop_column("job_requests", "warnings")
