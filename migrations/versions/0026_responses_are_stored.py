"""Responses are stored

Revision: 0026, after 0025. Old code may run beside it: it knows neither the table nor the indexes.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "responses",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("previous_id", sa.Uuid(), nullable=True),
        sa.Column("request", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("input", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "text IS NOT NULL OR (job_id IS NOT NULL AND job_id = id)", name=op.f("ck_responses_text_or_job")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_responses_job_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_responses_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_responses_session_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_responses")),
    )
    op.create_index(op.f("ix_responses_job_id"), "responses", ["job_id"])
    op.create_index(op.f("ix_responses_project_id_id"), "responses", ["project_id", "id"])
    op.create_index(op.f("ix_responses_session_id_id"), "responses", ["session_id", "id"])
    op.create_index(op.f("ix_image_tokens_sha256"), "image_tokens", ["sha256"])
    op.create_index(op.f("ix_images_project_id_sha256"), "images", ["project_id", "sha256"])
    op.create_index(
        op.f("ix_sessions_root_image_id"),
        "sessions",
        ["root_image_id"],
        postgresql_where=sa.text("root_image_id IS NOT NULL"),
    )


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_index(op.f("ix_sessions_root_image_id"), table_name="sessions")
    op.drop_index(op.f("ix_images_project_id_sha256"), table_name="images")
    op.drop_index(op.f("ix_image_tokens_sha256"), table_name="image_tokens")
    op.drop_table("responses")
