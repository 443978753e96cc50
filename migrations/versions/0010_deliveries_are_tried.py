"""Deliveries are tried

Revision: 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    """Bring the schema forward."""
    op.alter_column("deliveries", "tries", type_=sa.BigInteger())
    op.add_column("webhook_endpoints", sa.Column("origin", sa.String(), nullable=True))
    op.add_column(
        "deliveries", sa.Column("failures", sa.SmallInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("deliveries", sa.Column("lease_owner", sa.String(), nullable=True))
    op.add_column(
        "deliveries", sa.Column("receiver", sa.String(), server_default=sa.text("''"), nullable=False)
    )
    op.add_column("deliveries", sa.Column("body", sa.String(), nullable=True))
    op.create_check_constraint(
        op.f("ck_deliveries_failures_are_tries"), "deliveries", "failures BETWEEN 0 AND tries"
    )
    # deliveries of earlier versions were never sent; each endpoint gets limits of its own
    op.execute(
        "UPDATE deliveries SET receiver = endpoint.project_id || '/' || endpoint.id "
        "FROM webhook_endpoints endpoint WHERE endpoint.id = deliveries.endpoint_id AND state = 'pending'"
    )
    op.drop_index("ix_deliveries_due", table_name="deliveries")
    op.create_index(
        "ix_deliveries_due_of_receiver",
        "deliveries",
        ["receiver", "next_try_at"],
        unique=False,
        postgresql_where=PENDING,
    )
    op.create_table(
        "delivery_tries",
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.CheckConstraint("char_length(answer) <= 1024", name=op.f("ck_delivery_tries_answer_length")),
        sa.CheckConstraint("number > 0", name=op.f("ck_delivery_tries_number_positive")),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["deliveries.id"],
            name=op.f("fk_delivery_tries_delivery_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("delivery_id", "number", name=op.f("pk_delivery_tries")),
    )


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_table("delivery_tries")
    op.drop_index("ix_deliveries_due_of_receiver", table_name="deliveries", postgresql_where=PENDING)
    op.create_index(
        "ix_deliveries_due", "deliveries", ["next_try_at"], unique=False, postgresql_where=PENDING
    )
    op.drop_constraint(op.f("ck_deliveries_failures_are_tries"), "deliveries")
    for name in ("body", "receiver", "lease_owner", "failures"):
        op.drop_column("deliveries", name)
    op.alter_column("deliveries", "tries", type_=sa.SmallInteger())
    op.drop_column("webhook_endpoints", "origin")
