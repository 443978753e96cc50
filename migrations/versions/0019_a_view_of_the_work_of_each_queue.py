"""A view of the work of each queue

Revision: 0019, after 0018. Old code may run beside it. The role that may read the view, `luminary_scaler`,
belongs to the server and not to this database: `python -m migrations.roles` creates it. If it is there
already, it gets its privilege here.
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

VIEW = """
CREATE VIEW queue_work AS
SELECT queue, model,
    count(*) FILTER (WHERE state = 'queued') AS waiting,
    count(*) FILTER (WHERE state <> 'queued') AS running,
    count(*) AS work
FROM jobs
WHERE state IN ('canceling', 'running')
    OR (state = 'queued' AND blocked_by IS NULL AND available_at <= now())
GROUP BY queue, model
"""
PRIVILEGE = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'luminary_scaler') THEN
        GRANT USAGE ON SCHEMA public TO luminary_scaler;
        GRANT SELECT ON queue_work TO luminary_scaler;
    END IF;
END $$
"""


def upgrade() -> None:
    """Bring the schema forward."""
    op.execute(VIEW)
    op.execute(PRIVILEGE)


def downgrade() -> None:
    """Bring the schema back."""
    op.execute("DROP VIEW queue_work")
