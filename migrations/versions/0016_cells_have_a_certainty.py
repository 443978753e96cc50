"""Cells have a certainty, and jobs can be replayed

Revision: 0016, after 0015.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("image_tokens", sa.Column("certainty", sa.LargeBinary(), nullable=True))
    op.create_check_constraint(
        op.f("ck_image_tokens_certainty_of_each_cell"),
        "image_tokens",
        "octet_length(certainty) = octet_length(grid) - 8",
    )
    op.add_column("job_requests", sa.Column("replay_of", sa.Uuid(), nullable=True))
    op.create_index(
        op.f("ix_job_requests_replay_of"),
        "job_requests",
        ["replay_of"],
        postgresql_where=sa.text("replay_of IS NOT NULL"),
    )
    op.create_foreign_key(
        op.f("fk_job_requests_replay_of"), "job_requests", "jobs", ["replay_of"], ["id"], ondelete="SET NULL"
    )


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_constraint(op.f("fk_job_requests_replay_of"), "job_requests", type_="foreignkey")
    op.drop_index(op.f("ix_job_requests_replay_of"), table_name="job_requests")
    op.drop_column("job_requests", "replay_of")
    op.drop_constraint(op.f("ck_image_tokens_certainty_of_each_cell"), "image_tokens", type_="check")
    op.drop_column("image_tokens", "certainty")
