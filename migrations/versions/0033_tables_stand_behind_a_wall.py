"""Tables stand behind a wall: row-level security for the role of the gateway

Revision: 0033, after 0032. Old code may run beside it: it keeps the services' role, to which all rows are permitted.

The role `luminary_gateway` belongs to the server and not to this database. `luminary up` and `python -m migrations.roles`
create it. If it is missing here, it is created if the owner may do so; otherwise the policies are left out, gateways say
so, and `python -m migrations.roles` adds them.
"""

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

CURRENT = "(SELECT NULLIF(current_setting('luminary.project', true), '')::uuid)"
WITH_A_PROJECT = (
    *("api_keys", "audit_log", "idempotency_records", "images", "job_events", "jobs", "openai_batches", "openai_files"),
    *("responses", "sessions", "usage_records", "waiting_lines", "webhook_endpoints"),
)
PARENTS = {
    "candidates": ("jobs", "job_id"),
    "checkpoints": ("jobs", "job_id"),
    "job_estimates": ("jobs", "job_id"),
    "job_requests": ("jobs", "job_id"),
    "undecoded_pictures": ("jobs", "job_id"),
    "image_tokens": ("images", "image_id"),
    "picture_fingerprints": ("images", "image_id"),
    "picture_restores": ("images", "image_id"),
    "turns": ("sessions", "session_id"),
    "deliveries": ("webhook_endpoints", "endpoint_id"),
    "delivery_tries": ("deliveries", "delivery_id"),
    "openai_batch_lines": ("openai_batches", "batch_id"),
}
CONDITIONS = {
    **dict.fromkeys(WITH_A_PROJECT, f"COALESCE(project_id = {CURRENT}, false)"),
    "projects": f"COALESCE(id = {CURRENT}, false)",
    **{
        table: f"COALESCE((SELECT true FROM {parent} AS parent WHERE parent.id = {column}), false)"
        for table, (parent, column) in PARENTS.items()
    },
}
ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'luminary_gateway') THEN
        CREATE ROLE luminary_gateway NOLOGIN;
    END IF;
EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN
    NULL;
END $$
"""
MEMBERS = """
DO $$ DECLARE member name; BEGIN
    FOR member IN
        SELECT current_user UNION
        SELECT grantee::regrole::name FROM pg_class, aclexplode(relacl)
        WHERE pg_class.oid = 'jobs'::regclass AND privilege_type = 'INSERT' AND grantee <> 0
    LOOP
        IF member <> 'luminary_gateway' THEN
            EXECUTE format('GRANT luminary_gateway TO %I WITH INHERIT FALSE, SET TRUE', member);
        END IF;
    END LOOP;
EXCEPTION WHEN insufficient_privilege OR undefined_object THEN
    NULL;
END $$
"""
"""Roles that may write rows may take the gateway's role. An owner that has not created it cannot grant it; `migrations.roles` does."""
POLICIES = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'luminary_gateway') THEN
        GRANT USAGE ON SCHEMA public TO luminary_gateway;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO luminary_gateway;
        GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO luminary_gateway;
        ALTER DEFAULT PRIVILEGES IN SCHEMA public
            GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO luminary_gateway;
        ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO luminary_gateway;
        {policies}
    END IF;
END $$
"""


def upgrade() -> None:
    """Bring the schema forward."""
    op.execute(ROLE)
    op.execute(MEMBERS)
    for table in CONDITIONS:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY everyone ON {table} USING (true)")
    policies = (
        f"CREATE POLICY one_project ON {table} AS RESTRICTIVE TO luminary_gateway USING ({condition});"
        for table, condition in CONDITIONS.items()
    )
    op.execute(POLICIES.format(policies="\n        ".join(policies)))


def downgrade() -> None:
    """Bring the schema back. The role stays: it belongs to the server."""
    for table in CONDITIONS:
        op.execute(f"DROP POLICY IF EXISTS one_project ON {table}")
        op.execute(f"DROP POLICY everyone ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
