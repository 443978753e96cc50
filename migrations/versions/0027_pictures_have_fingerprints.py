"""Pictures have fingerprints

Revision: 0027, after 0026. Old code may run beside it: it adds no fingerprints. Pictures that were drawn before have none,
either.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "picture_fingerprints",
        sa.Column("image_id", sa.Uuid(), nullable=False),
        sa.Column("tokenizer", sa.String(), nullable=False),
        sa.Column("pixels_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("tokens_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("runs", ARRAY(sa.Integer()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint(
            "octet_length(pixels_sha256) = 32 AND octet_length(tokens_sha256) = 32",
            name=op.f("ck_picture_fingerprints_hash_lengths"),
        ),
        sa.CheckConstraint("cardinality(runs) <= 64", name=op.f("ck_picture_fingerprints_runs_bounded")),
        sa.ForeignKeyConstraint(
            ["image_id"], ["images.id"], name=op.f("fk_picture_fingerprints_image_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("image_id", name=op.f("pk_picture_fingerprints")),
    )
    for column, kind in (("pixels_sha256", "hash"), ("tokens_sha256", "hash"), ("runs", "gin")):
        op.create_index(
            op.f(f"ix_picture_fingerprints_{column}"), "picture_fingerprints", [column], postgresql_using=kind
        )
    op.add_column("projects", sa.Column("fingerprints", sa.Boolean(), server_default=sa.text("true"), nullable=False))


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_column("projects", "fingerprints")
    op.drop_table("picture_fingerprints")
