"""Events have an order, and know their project

Revision: 0012, after 0011. Old code may run beside it: the default and the trigger fill both columns in. The
update of existing rows locks the table, for about a minute per ten million events.
"""

import sqlalchemy as sa
from alembic import op

from shared.tables.base import Xid8

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INDEX = "ix_job_events_project_id_xid_job_id_sequence"
FILL_IN = """
CREATE FUNCTION job_events_fill_in_project() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.project_id IS NULL THEN
        SELECT jobs.project_id INTO NEW.project_id FROM jobs WHERE jobs.id = NEW.job_id;
    END IF;
    RETURN NEW;
END $$
"""
TRIGGER = """
CREATE TRIGGER job_events_fill_in_project BEFORE INSERT ON job_events
FOR EACH ROW EXECUTE FUNCTION job_events_fill_in_project()
"""


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("job_events", sa.Column("project_id", sa.Uuid(), nullable=True))
    # existing rows get 0 without being written again; the second statement is for new rows
    op.add_column("job_events", sa.Column("xid", Xid8(), server_default=sa.text("'0'"), nullable=False))
    op.alter_column("job_events", "xid", server_default=sa.text("pg_current_xact_id()"))
    op.execute(
        "UPDATE job_events SET project_id = jobs.project_id FROM jobs WHERE jobs.id = job_events.job_id"
    )
    op.execute(FILL_IN)
    op.execute(TRIGGER)
    op.alter_column("job_events", "project_id", nullable=False)
    op.create_index(INDEX, "job_events", ["project_id", "xid", "job_id", "sequence"], unique=False)


def downgrade() -> None:
    """Bring the schema back."""
    op.drop_index(INDEX, table_name="job_events")
    op.execute("DROP TRIGGER job_events_fill_in_project ON job_events")
    op.execute("DROP FUNCTION job_events_fill_in_project")
    op.drop_column("job_events", "xid")
    op.drop_column("job_events", "project_id")
