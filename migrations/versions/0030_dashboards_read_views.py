"""Dashboards read views

Revision: 0030, after 0029. Old code may run beside it: it knows none of the views. The role that may read them,
`luminary_reader`, belongs to the server and not to this database: `python -m migrations.roles` creates it. If it is
there already, it gets its privileges here.
"""

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

VIEWS = {
    "projects": "id, name",
    "jobs": "id, project_id, state, task, queue, phase, priority, candidates, attempt, failures, interruptions,"
    " tokens_done, tokens_total, tokens_per_second, eta_seconds, model, numerics, error_code, traceparent, created_at,"
    " available_at, started_at, finished_at, heartbeat_at",
    "job_events": "job_id, project_id, sequence, attempt, kind, data, created_at",
    "candidates": "id, job_id, image_id, position, score, partial",
    "images": "id, project_id, origin, media_type, width, height, byte_size, created_at, expires_at, deleted_at",
    "usage_records": "job_id, project_id, task, images, prompt_tokens, tokens_done, compute_seconds, created_at",
    "webhook_endpoints": "id, project_id",
    "deliveries": "id, endpoint_id, job_id, sequence, event_type, state, tries, failures, last_status, last_error,"
    " created_at, next_try_at, finished_at",
    "delivery_tries": "delivery_id, number, sent_at, seconds, status, error",
}
"""The columns of each table that say nothing of what is drawn, and hold no secret."""
PRIVILEGES = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'luminary_reader') THEN
        GRANT USAGE ON SCHEMA dashboards TO luminary_reader;
        GRANT SELECT ON ALL TABLES IN SCHEMA dashboards TO luminary_reader;
    END IF;
END $$
"""


def upgrade() -> None:
    """Bring the schema forward."""
    op.execute("CREATE SCHEMA dashboards")
    for table, columns in VIEWS.items():
        op.execute(f"CREATE VIEW dashboards.{table} AS SELECT {columns} FROM public.{table}")
    op.execute(PRIVILEGES)


def downgrade() -> None:
    """Bring the schema back."""
    op.execute("DROP SCHEMA dashboards CASCADE")
