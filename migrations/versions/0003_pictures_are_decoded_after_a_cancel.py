"""Pictures of canceled jobs are decoded after the end, and progress knows prefill and time left

Revision: 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "undecoded_pictures",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("grid", sa.LargeBinary(), nullable=False),
        sa.Column("png_text", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("partial", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "available_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("taken_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "position >= 0 AND tries >= 0", name=op.f("ck_undecoded_pictures_numbers_not_negative")
        ),
        sa.CheckConstraint("octet_length(grid) > 8", name=op.f("ck_undecoded_pictures_grid_not_empty")),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_undecoded_pictures_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "position", name=op.f("pk_undecoded_pictures")),
    )
    op.create_index(
        op.f("ix_undecoded_pictures_available_at"), "undecoded_pictures", ["available_at"], unique=False
    )
    op.add_column(
        "jobs", sa.Column("prefill_rows_done", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column(
        "jobs", sa.Column("prefill_rows", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("jobs", sa.Column("eta_seconds", sa.Double(), nullable=True))
    op.add_column("jobs", sa.Column("progress_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_column("jobs", "progress_at")
    op.drop_column("jobs", "eta_seconds")
    op.drop_column("jobs", "prefill_rows")
    op.drop_column("jobs", "prefill_rows_done")
    op.drop_index(op.f("ix_undecoded_pictures_available_at"), table_name="undecoded_pictures")
    op.drop_table("undecoded_pictures")
