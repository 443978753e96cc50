"""Expired pictures are restored

Revision: 0014, after 0013.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("images", sa.Column("png_text", sa.LargeBinary(), nullable=True))
    op.create_table(
        "picture_restores",
        sa.Column("image_id", sa.Uuid(), nullable=False),
        sa.Column("folder", sa.String(), nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "available_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("taken_by", sa.Uuid(), nullable=True),
        sa.Column("error_code", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_picture_restores_tries_not_negative")),
        sa.ForeignKeyConstraint(
            ["image_id"], ["images.id"], name=op.f("fk_picture_restores_image_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("image_id", name=op.f("pk_picture_restores")),
    )
    op.create_index(
        "ix_picture_restores_waiting",
        "picture_restores",
        ["available_at"],
        postgresql_where=sa.text("error_code IS NULL"),
    )
    op.create_index("ix_picture_restores_folder", "picture_restores", ["folder"])


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_table("picture_restores")
    op.drop_column("images", "png_text")
