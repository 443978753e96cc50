"""Projects have a retention, and files are deleted outside of transactions

Revision: 0013, after 0012. Old code may run beside it: an old io worker deletes files of expired pictures as
before. The indexes lock the table of pictures, for about a minute per ten million pictures.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

RETENTIONS = ("uploads", "results", "previews", "events", "checkpoints")
KEPT = sa.text("deleted_at IS NULL AND removing_until IS NULL")


def upgrade() -> None:
    """Bring the schema forward."""
    for name in RETENTIONS:
        op.add_column("projects", sa.Column(f"retain_{name}_seconds", sa.BigInteger(), nullable=True))
    op.create_check_constraint(
        op.f("ck_projects_retention_in_range"),
        "projects",
        "LEAST(retain_uploads_seconds, retain_results_seconds, retain_previews_seconds,"
        " retain_events_seconds, retain_checkpoints_seconds) >= -1"
        " AND GREATEST(retain_uploads_seconds, retain_results_seconds, retain_previews_seconds,"
        " retain_events_seconds, retain_checkpoints_seconds) <= 3162240000",
    )
    op.add_column("images", sa.Column("removing_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("images", sa.Column("thumbnail_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("images", sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True))
    op.alter_column("images", "storage_key", type_=sa.String(collation="C"), existing_nullable=False)
    op.create_index(
        "ix_images_kept", "images", ["project_id", "origin", "created_at"], postgresql_where=KEPT
    )
    op.create_index(
        "ix_images_removing",
        "images",
        ["removing_until"],
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_images_thumbnails", "images", ["project_id", "thumbnail_at"], postgresql_where=KEPT)
    op.create_index("ix_images_storage_key", "images", ["storage_key"])
    op.create_table(
        "searches",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("position", sa.String(), server_default=sa.text("''"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("taken_by", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_searches")),
    )


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_table("searches")
    for index in ("storage_key", "thumbnails", "removing", "kept"):
        op.drop_index(f"ix_images_{index}", table_name="images")
    op.alter_column("images", "storage_key", type_=sa.String(), existing_nullable=False)
    op.drop_column("images", "lost_at")
    op.drop_column("images", "thumbnail_at")
    op.drop_column("images", "removing_until")
    op.drop_constraint(op.f("ck_projects_retention_in_range"), "projects", type_="check")
    for name in reversed(RETENTIONS):
        op.drop_column("projects", f"retain_{name}_seconds")
