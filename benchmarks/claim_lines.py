"""A database with long lines of waiting jobs and many ended ones, for the benchmark of claims."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import TextClause, text

from shared.database import Database
from shared.job_store.clock import database_time
from shared.jobs import Queue
from shared.security import generate_webhook_secret
from shared.tables import Project, WorkerRow

CHUNK = 20_000
FILL = text("""
WITH fresh AS (
    INSERT INTO jobs (project_id, state, queue, task, priority, max_failures)
    SELECT (CAST(:projects AS uuid[]))[1 + place % cardinality(CAST(:projects AS uuid[]))],
        'queued', 'generate', 'text_to_image', 0, 3
    FROM generate_series(1, :count) AS place ORDER BY place
    RETURNING id, project_id
),
requests AS (
    INSERT INTO job_requests (job_id, request)
    SELECT id, '{"task": "text_to_image", "prompt": "a red circle", "size": "96x96", "seed": 7}' FROM fresh
)
INSERT INTO job_events (job_id, sequence, attempt, kind, project_id)
SELECT id, 1, 0, 'queued', project_id FROM fresh
""")
FILL_ENDED = text("""
WITH fresh AS (
    INSERT INTO jobs (
        project_id, state, queue, task, priority, max_failures, attempt, started_at, finished_at,
        tokens_done, tokens_total, numerics, revision
    )
    SELECT (CAST(:projects AS uuid[]))[1 + place % cardinality(CAST(:projects AS uuid[]))],
        'succeeded', 'generate', 'text_to_image', 0, 3, 1, clock_timestamp(), clock_timestamp(), 148, 148,
        'bf16', 3
    FROM generate_series(1, :count) AS place
    RETURNING id, project_id
),
requests AS (
    INSERT INTO job_requests (job_id, request)
    SELECT id, '{"task": "text_to_image", "prompt": "a red circle", "size": "96x96", "seed": 7}' FROM fresh
)
INSERT INTO job_events (job_id, sequence, attempt, kind, project_id)
SELECT id, 3, 1, 'succeeded', project_id FROM fresh
""")
END_RUNNING = text("""
UPDATE jobs SET state = 'succeeded', finished_at = clock_timestamp(), lease_owner = NULL,
    lease_expires_at = NULL, heartbeat_at = NULL
WHERE state = 'running'
""")
CANCEL_WAITING = text(
    "UPDATE jobs SET state = 'canceled', finished_at = clock_timestamp() WHERE state = 'queued'"
)
TABLES = ("jobs", "job_requests", "job_events", "waiting_lines")


class Lines:
    """The waiting jobs of some projects. Vacuums need the owner's role."""

    def __init__(self, services: Database, owner: Database) -> None:
        self._database = services
        self._owner = owner
        self.projects: list[UUID] = []

    def add_projects(self, count: int) -> None:
        """Create projects, and the row of a worker."""
        with self._database.transaction() as session:
            for number in range(count):
                project = Project(name=f"project {number}", webhook_secret=generate_webhook_secret())
                session.add(project)
                session.flush()
                self.projects.append(project.id)
            session.add(
                WorkerRow(
                    id="worker-0",
                    queues=[queue.value for queue in Queue],
                    slots=1,
                    model={"name": "tiny"},
                    numerics="bf16",
                    heartbeat_at=database_time(),
                )
            )

    def add_waiting(self, count: int, projects: Sequence[UUID]) -> None:
        """Queue jobs, one project after the other in turn."""
        self._add(FILL, count, projects)

    def add_ended(self, count: int, projects: Sequence[UUID] | None = None) -> None:
        """Add jobs that have succeeded, of these projects or of all."""
        self._add(FILL_ENDED, count, projects or self.projects)

    def _add(self, statement: TextClause, count: int, projects: Sequence[UUID]) -> None:
        for start in range(0, count, CHUNK):
            with self._database.transaction() as session:
                some = {"count": min(CHUNK, count - start), "projects": list(projects)}
                session.execute(statement, some)

    def end_running(self) -> None:
        """End all running jobs."""
        with self._database.transaction() as session:
            session.execute(END_RUNNING)

    def clear(self) -> None:
        """End all waiting and running jobs."""
        self.end_running()
        with self._database.transaction() as session:
            session.execute(CANCEL_WAITING)
        self.vacuum()

    def vacuum(self) -> None:
        """Vacuum and analyze, as autovacuum does on a live system at times of its own."""
        with self._owner.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in TABLES:
                connection.execute(text(f"VACUUM (ANALYZE) {table}"))
