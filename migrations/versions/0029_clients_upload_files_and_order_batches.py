"""Clients upload files and order batches

Revision: 0029, after 0028. Old code may run beside it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "openai_files",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("byte_size", sa.BigInteger(), nullable=False),
        sa.Column("image_id", sa.Uuid(), nullable=True),
        sa.Column("storage_key", sa.String(), nullable=True),
        sa.Column("part_bytes", sa.BigInteger(), nullable=True),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("stored_at", TIME, nullable=True),
        sa.Column("expires_at", TIME, nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(image_id, storage_key) = 1", name=op.f("ck_openai_files_one_content")
        ),
        sa.CheckConstraint(
            "(storage_key IS NULL) = (part_bytes IS NULL)", name=op.f("ck_openai_files_parts_have_a_size")
        ),
        sa.CheckConstraint("byte_size >= 0", name=op.f("ck_openai_files_size_not_negative")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_openai_files_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["image_id"], ["images.id"], name=op.f("fk_openai_files_image_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_openai_files")),
    )
    op.create_index("ix_openai_files_project_id_id", "openai_files", ["project_id", "id"])
    partial = {
        "ix_openai_files_expiring": ("expires_at", "expires_at IS NOT NULL"),
        "ix_openai_files_image_id": ("image_id", "image_id IS NOT NULL"),
        "ix_openai_files_unstored": ("created_at", "stored_at IS NULL"),
    }
    for name, (column, condition) in partial.items():
        op.create_index(name, "openai_files", [column], postgresql_where=sa.text(condition))
    create_batches()
    create_batch_lines()


STATES = "'validating', 'failed', 'in_progress', 'finalizing', 'completed', 'expired', 'cancelling', 'cancelled'"
JSON_LIST = sa.text("'[]'::jsonb")


def number(name: str, *, default: bool = True) -> sa.Column[int]:
    """A column of a number that is not null."""
    return sa.Column(
        name, sa.BigInteger(), server_default=sa.text("0") if default else None, nullable=False
    )


def create_batches() -> None:
    """Create the table of batches."""
    op.create_table(
        "openai_batches",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), server_default="validating", nullable=False),
        sa.Column("endpoint", sa.String(), nullable=False),
        sa.Column("input_file_id", sa.Uuid(), nullable=False),
        sa.Column("output_file_id", sa.Uuid(), nullable=True),
        sa.Column("error_file_id", sa.Uuid(), nullable=True),
        sa.Column("completion_window", sa.String(), nullable=False),
        sa.Column("metadata", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("errors", JSONB(), server_default=JSON_LIST, nullable=False),
        *map(number, ("read_bytes", "total", "succeeded", "failed")),
        sa.Column("ending", sa.String(), nullable=True),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("in_progress_at", TIME, nullable=True),
        sa.Column("cancelling_at", TIME, nullable=True),
        sa.Column("finalizing_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("due_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("taken_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("ck_openai_batches_state_known")),
        sa.CheckConstraint(
            "(state IN ('cancelled', 'completed', 'expired', 'failed')) = (ended_at IS NOT NULL)",
            name=op.f("ck_openai_batches_ended_when_final"),
        ),
        sa.CheckConstraint(
            "LEAST(read_bytes, succeeded, failed) >= 0 AND succeeded + failed <= total",
            name=op.f("ck_openai_batches_counts_add_up"),
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_openai_batches_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_openai_batches")),
    )
    op.create_index("ix_openai_batches_project_id_id", "openai_batches", ["project_id", "id"])
    op.create_index(
        "ix_openai_batches_due", "openai_batches", ["due_at"], postgresql_where=sa.text("ended_at IS NULL")
    )


def create_batch_lines() -> None:
    """Create the table of the requests of batches."""
    op.create_table(
        "openai_batch_lines",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        number("number", default=False),
        sa.Column("custom_id", sa.String(), nullable=False),
        number("start", default=False),
        number("size", default=False),
        sa.Column("state", sa.String(), server_default="waiting", nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("error", JSONB(none_as_null=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'queued', 'succeeded', 'failed')",
            name=op.f("ck_openai_batch_lines_state_known"),
        ),
        sa.CheckConstraint(
            "number > 0 AND start >= 0 AND size > 0", name=op.f("ck_openai_batch_lines_place_in_file")
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["openai_batches.id"],
            name=op.f("fk_openai_batch_lines_batch_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_openai_batch_lines_job_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("batch_id", "number", name=op.f("pk_openai_batch_lines")),
        sa.UniqueConstraint("batch_id", "custom_id", name=op.f("uq_openai_batch_lines_batch_id_custom_id")),
    )
    op.create_index(
        "ix_openai_batch_lines_open",
        "openai_batch_lines",
        ["batch_id", "state", "number"],
        postgresql_where=sa.text("state IN ('queued', 'waiting')"),
    )
    op.create_index(
        "ix_openai_batch_lines_job_id",
        "openai_batch_lines",
        ["job_id"],
        postgresql_where=sa.text("job_id IS NOT NULL"),
    )


def downgrade() -> None:
    """Bring the schema back."""
    for table in ("openai_batch_lines", "openai_batches", "openai_files"):
        op.drop_table(table)
