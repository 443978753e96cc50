"""Addresses of pictures are signed

Revision: 0025, after 0024. Old code may run beside it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "link_keys",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("octet_length(secret) = 32", name=op.f("ck_link_keys_secret_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link_keys")),
    )


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_table("link_keys")
