"""Sessions have a head, and jobs can wait for another job's picture

Revision: 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

EMPTY = sa.text("'{}'::jsonb")
TIME = sa.DateTime(timezone=True)

ERROR_WHEN_FAILED = (
    "(error_code IS NOT NULL OR NOT (state IN ('expired', 'failed')))"
    " AND (error_code IS NULL OR state IN ('canceled', 'expired', 'failed'))"
    " AND (error_code IS NULL) = (error_message IS NULL)"
)
ERROR_BEFORE = (
    "(state IN ('expired', 'failed')) = (error_code IS NOT NULL)"
    " AND (error_code IS NULL) = (error_message IS NULL)"
)


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("candidates", sa.Column("starred_at", TIME, nullable=True))
    op.add_column("jobs", sa.Column("blocked_by", sa.Uuid(), nullable=True))
    op.create_foreign_key(op.f("fk_jobs_blocked_by"), "jobs", "jobs", ["blocked_by"], ["id"])
    op.create_index("ix_jobs_blocked", "jobs", ["blocked_by"], postgresql_where=sa.text("blocked_by IS NOT NULL"))
    make_claimable_index("state = 'queued' AND blocked_by IS NULL")
    replace_check("jobs", "error_when_failed", ERROR_WHEN_FAILED)
    op.create_check_constraint(
        op.f("ck_jobs_blocked_only_while_queued"), "jobs", "blocked_by IS NULL OR state = 'queued'"
    )

    op.add_column("sessions", sa.Column("note", sa.String(), nullable=True))
    op.add_column("sessions", sa.Column("updated_at", TIME, server_default=sa.func.now(), nullable=False))
    op.add_column("sessions", sa.Column("root_image_id", sa.Uuid(), nullable=True))
    op.add_column("sessions", sa.Column("head_candidate_id", sa.Uuid(), nullable=True))
    op.add_column("sessions", sa.Column("head_version", sa.BigInteger(), server_default=sa.text("1"), nullable=False))
    op.add_column("sessions", sa.Column("head_follows", sa.BigInteger(), nullable=True))
    op.add_column(
        "sessions",
        sa.Column(
            "undone", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'::uuid[]"), nullable=False
        ),
    )
    op.add_column("sessions", sa.Column("last_number", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.create_check_constraint(
        op.f("ck_sessions_counters_not_negative"), "sessions", "head_version > 0 AND last_number >= 0"
    )
    op.create_foreign_key(
        op.f("fk_sessions_root_image_id"), "sessions", "images", ["root_image_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_sessions_head_candidate_id"),
        "sessions",
        "candidates",
        ["head_candidate_id"],
        ["id"],
        ondelete="SET NULL",
    )

    op.add_column("turns", sa.Column("deleted_at", TIME, nullable=True))
    op.add_column("turns", sa.Column("name", sa.String(), nullable=True))
    op.add_column("turns", sa.Column("note", sa.String(), nullable=True))
    op.add_column("turns", sa.Column("metadata", postgresql.JSONB(), server_default=EMPTY, nullable=False))
    replace_check("turns", "one_origin", "num_nonnulls(parent_job_id, source_image_id) <= 1")
    op.drop_constraint(op.f("ck_turns_parent_complete"), "turns", type_="check")
    op.create_check_constraint(
        op.f("ck_turns_candidate_has_its_job"),
        "turns",
        "parent_candidate_id IS NULL OR parent_job_id IS NOT NULL",
    )


def downgrade() -> None:
    """Take the schema back. Turns that still wait for their parent are lost, as sessions' heads are."""
    op.execute("DELETE FROM turns WHERE parent_candidate_id IS NULL AND parent_job_id IS NOT NULL")
    op.drop_constraint(op.f("ck_turns_candidate_has_its_job"), "turns", type_="check")
    op.create_check_constraint(
        op.f("ck_turns_parent_complete"), "turns", "(parent_candidate_id IS NULL) = (parent_job_id IS NULL)"
    )
    replace_check("turns", "one_origin", "num_nonnulls(parent_candidate_id, source_image_id) <= 1")
    for name in ("metadata", "note", "name", "deleted_at"):
        op.drop_column("turns", name)
    for name in (
        "last_number",
        "undone",
        "head_follows",
        "head_version",
        "head_candidate_id",
        "root_image_id",
        "updated_at",
        "note",
    ):
        op.drop_column("sessions", name)
    op.execute("UPDATE jobs SET error_code = NULL, error_message = NULL WHERE state = 'canceled'")
    replace_check("jobs", "error_when_failed", ERROR_BEFORE)
    make_claimable_index("state = 'queued'")
    op.drop_column("jobs", "blocked_by")
    op.drop_column("candidates", "starred_at")


def make_claimable_index(condition: str) -> None:
    """Make the index of the claim anew for these jobs."""
    op.drop_index("ix_jobs_claimable", "jobs")
    op.create_index(
        "ix_jobs_claimable", "jobs", ["queue", "priority", "id"], postgresql_where=sa.text(condition)
    )


def replace_check(table: str, name: str, condition: str) -> None:
    """Give a check constraint another condition."""
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)
