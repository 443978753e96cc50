"""Usage counts tokens as progress does

Revision: 0006, after 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.alter_column("usage_records", "image_tokens", new_column_name="tokens_done")
    rename_not_null("image_tokens", "tokens_done")


def downgrade() -> None:
    """Take the schema back."""
    op.alter_column("usage_records", "tokens_done", new_column_name="image_tokens")
    rename_not_null("tokens_done", "image_tokens")


def rename_not_null(old: str, new: str) -> None:
    """Rename the constraint that PostgreSQL 18 names after the column."""
    op.execute(
        f"ALTER TABLE usage_records RENAME CONSTRAINT usage_records_{old}_not_null TO usage_records_{new}_not_null"
    )
