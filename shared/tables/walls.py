"""The wall between projects: policies of row-level security for the role of the gateway.

Workers, io workers and the owner see all rows: they serve all projects. To the gateway's role, which
`shared.walls` takes for each transaction of a project, a table shows the rows of that project alone; the role
can neither change others nor insert a row into another project.
"""

from collections.abc import Mapping

from sqlalchemy import DDL, event

from shared.tables.base import Base

GATEWAY_ROLE = "luminary_gateway"
"""A role without login. The services' role may become it; migration 0033 knows its name, too."""
SETTING = "luminary.project"
"""The setting with the id of the project that a transaction works for."""
EVERYONE, ONE_PROJECT = "everyone", "one_project"
"""Names of each table's policies: the first permits all rows, the second restricts the gateway's role."""
CURRENT = f"(SELECT NULLIF(current_setting('{SETTING}', true), '')::uuid)"
"""The project of the transaction, computed once for a statement and not for each row; null without one."""


def owned(column: str = "project_id") -> str:
    """Condition of rows with the id of their project.

    COALESCE keeps it out of the planner's choice: the policy only filters, and rows are found by what the
    statement itself names. Otherwise a read of one job by its id might read all pictures of its project.
    """
    return f"COALESCE({column} = {CURRENT}, false)"


def below(parent: str, column: str) -> str:
    """Condition of rows that belong to a row of another table: those whose parent the project sees.

    A scalar subquery looks each parent up by its id; for EXISTS the planner might read all parents.
    """
    return f"COALESCE((SELECT true FROM {parent} AS parent WHERE parent.id = {column}), false)"  # noqa: S608


TENANT_TABLES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *(
                "api_keys",
                "audit_log",
                "idempotency_records",
                "images",
                "job_events",
                "jobs",
                "openai_batches",
            ),
            *("openai_files", "responses", "sessions", "usage_records", "waiting_lines", "webhook_endpoints"),
        ),
        owned(),
    ),
    "projects": owned("id"),
    **dict.fromkeys(
        ("candidates", "checkpoints", "job_estimates", "job_requests", "undecoded_pictures"),
        below("jobs", "job_id"),
    ),
    **dict.fromkeys(
        ("image_tokens", "picture_fingerprints", "picture_restores"), below("images", "image_id")
    ),
    "turns": below("sessions", "session_id"),
    "deliveries": below("webhook_endpoints", "endpoint_id"),
    "delivery_tries": below("deliveries", "delivery_id"),
    "openai_batch_lines": below("openai_batches", "batch_id"),
}
"""Tables with rows of projects, and the condition of the rows that a project sees."""
PLATFORM_TABLES: Mapping[str, str] = {
    "link_keys": "keys that sign addresses of pictures belong to the installation",
    "searches": "positions of periodic searches over the whole bucket",
    "workers": "workers serve all projects",
}
"""Tables without rows of projects, with the reason."""


def restriction(table: str, condition: str) -> str:
    """The statement that restricts the gateway's role in a table."""
    return f"CREATE POLICY {ONE_PROJECT} ON {table} AS RESTRICTIVE TO {GATEWAY_ROLE} USING ({condition})"


def wall_statements(table: str, condition: str) -> tuple[str, ...]:
    """The statements that put a table behind the wall; the last one does nothing if there is no such role."""
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY {EVERYONE} ON {table} USING (true)",
        f"""DO $$ BEGIN
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{GATEWAY_ROLE}') THEN
                {restriction(table, condition)};
            END IF;
        END $$""",
    )


for tenant_table, seen in TENANT_TABLES.items():
    for statement in wall_statements(tenant_table, seen):
        event.listen(Base.metadata, "after_create", DDL(statement))

for tenant_table in TENANT_TABLES:
    # a policy that looks at another table keeps this one from being dropped
    drop = DDL(f"DROP POLICY IF EXISTS {ONE_PROJECT} ON {tenant_table}")
    event.listen(Base.metadata, "before_drop", drop)
