"""The migrations create exactly the schema of `shared.tables`, and go back and forward with data."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, delete, inspect, select, text, update
from sqlalchemy.engine import make_url

from infra.local.stack import EmbeddedStack
from migrations import runner
from migrations.patience import change_schema
from shared.database import Database
from shared.job_store import succeed_job
from shared.settings import DatabaseSettings
from shared.tables import DASHBOARD_VIEWS, Base, Job, JobEventRow, UsageRecord
from tests.support.factories import must_claim, one_picture, queue_job
from tests.support.platforms.platform import eventually
from tests.support.servers.databases import administer, database_settings


@pytest.fixture
def database(stack: EmbeddedStack, settings: DatabaseSettings) -> Iterator[Database]:
    """The test's database with the owner's role, because services may not change the schema."""
    name = make_url(settings.url.get_secret_value()).database
    assert name is not None
    database = Database(database_settings(stack, name, as_owner=True))
    yield database
    database.dispose()


SCHEMA_FACTS = {
    "columns": """SELECT table_name, column_name, data_type, is_nullable, column_default, ordinal_position
        FROM information_schema.columns WHERE table_schema = 'public'""",
    "constraints": """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "policies": """SELECT tablename, policyname, permissive, roles::text, cmd, qual, relrowsecurity
        FROM pg_policies JOIN pg_class ON pg_class.oid = tablename::regclass WHERE schemaname = 'public'""",
    "options": """SELECT relname, reloptions::text FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'""",
}
ROOT = Path(__file__).parents[2]
VERSION_TABLE = "alembic_version"


def schema(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    """Columns, constraints, indexes and options in PostgreSQL, without Alembic's own table."""
    return {
        name: sorted(tuple(row) for row in connection.execute(text(query)) if VERSION_TABLE not in row[0])
        for name, query in SCHEMA_FACTS.items()
    }


def test_alembic_finds_no_difference_to_the_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        difference = compare_metadata(context, Base.metadata)
    assert difference == [], "the tables have changed: run `make migration NAME='what changes'`"


def test_the_command_migrates_a_new_database_and_says_what_prevents_it(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    assert stack.postgres is not None
    name = f"empty_{uuid4().hex}"
    stack.postgres.set_up(name)
    migrated, unanswered, unset = (
        subprocess.run(
            [sys.executable, "-m", "migrations"],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        for variables in (
            {"DATABASE_URL": database_settings(stack, name, as_owner=True).url.get_secret_value()},
            {"DATABASE_URL": "postgresql://luminary@127.0.0.1:1/luminary"},
            {},
        )
    )
    database = Database(database_settings(stack, name))
    with database.transaction() as session:
        assert list(session.scalars(select(Job))) == []
    database.dispose()
    administer(stack, "DROP DATABASE {} WITH (FORCE)", name)
    assert migrated.returncode == 0, migrated.stderr
    assert unanswered.stderr.startswith("migrations: the database at DATABASE_URL does not answer: ")
    assert unset.stderr == "migrations: DATABASE_URL: Field required\n"


def test_constraints_indexes_and_storage_options_are_those_of_the_tables(database: Database) -> None:
    with database.engine.begin() as connection:
        migrated = schema(connection)
        Base.metadata.drop_all(connection)
        Base.metadata.create_all(connection)
        assert schema(connection) == migrated, "put a new column last in its table, as ADD COLUMN does"


def test_a_database_with_data_goes_back_and_forward(database: Database, project_id: UUID) -> None:
    queue_job(database, project_id)
    with database.transaction() as session:
        job = succeed_job(session, must_claim(database).lease, one_picture())
        session.execute(delete(Job).where(Job.id == job.id))  # its usage stays
    with database.engine.begin() as connection:
        before = schema(connection)

        runner.downgrade(connection)
        assert set(inspect(connection).get_table_names()) == {VERSION_TABLE}

        runner.upgrade(connection)
        assert schema(connection) == before


def test_events_of_old_code_get_their_project_and_events_of_a_restored_dump_no_number(
    database: Database, project_id: UUID
) -> None:
    job_id = queue_job(database, project_id)
    with database.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO job_events (job_id, sequence, attempt, kind) VALUES (:job, 2, 0, 'canceled')"),
            {"job": job_id},
        )
    with database.transaction() as session:
        first, second = session.scalars(select(JobEventRow).order_by(JobEventRow.sequence)).all()
    assert first.project_id == second.project_id == project_id
    assert 0 < first.xid < second.xid
    with database.engine.begin() as connection:
        runner.upgrade(connection)
        assert list(connection.scalars(select(JobEventRow.xid))) == [first.xid, second.xid]
        connection.execute(update(JobEventRow).where(JobEventRow.sequence == 2).values(xid=10**12))
        runner.upgrade(connection)
        assert list(connection.scalars(select(JobEventRow.xid))) == [0, 0]


def test_events_from_before_their_order_get_project_and_number_zero(
    database: Database, project_id: UUID
) -> None:
    with database.engine.begin() as connection:
        runner.downgrade(connection, "0011")
        connection.execute(
            text(
                "WITH job AS (INSERT INTO jobs (project_id, state, queue, task, priority, max_failures)"
                " VALUES (:project, 'queued', 'generate', 'text_to_image', 0, 3) RETURNING id)"
                " INSERT INTO job_events (job_id, sequence, attempt, kind) SELECT id, 1, 0, 'queued' FROM job"
            ),
            {"project": project_id},
        )
        runner.upgrade(connection)
        row = connection.execute(select(JobEventRow.project_id, JobEventRow.xid)).one()
    assert tuple(row) == (project_id, 0)


def test_usage_from_before_its_key_was_recorded_stays_and_old_code_can_add_more(
    database: Database, project_id: UUID
) -> None:
    old_code = text(
        "INSERT INTO usage_records (job_id, project_id, task, images, prompt_tokens, tokens_done,"
        " compute_seconds) VALUES (uuidv7(), :project, 'dense', 1, 2, 3, 4.5)"
    )
    with database.engine.begin() as connection:
        runner.downgrade(connection, "0031")
        connection.execute(old_code, {"project": project_id})
        runner.upgrade(connection)
        connection.execute(old_code, {"project": project_id})
        rows = connection.execute(
            select(UsageRecord.tokens_done, UsageRecord.api_key_id, UsageRecord.model)
        ).all()
    assert [tuple(row) for row in rows] == [(3, None, None)] * 2


def test_views_of_dashboards_are_those_of_the_tables(database: Database) -> None:
    found = text(
        "SELECT table_name, string_agg(column_name, ', ' ORDER BY ordinal_position) AS columns"
        " FROM information_schema.columns WHERE table_schema = 'dashboards' GROUP BY 1"
    )
    with database.transaction() as session:
        rows = session.execute(found).all()
    assert {row.table_name: row.columns for row in rows} == DASHBOARD_VIEWS


def test_a_migration_waits_for_a_table_briefly_and_tries_again(database: Database) -> None:
    """Statements on the table queue up behind a migration that waits for it, so it steps back."""
    runs: list[int] = []
    with database.transaction() as session:
        session.execute(text("LOCK TABLE jobs IN ACCESS SHARE MODE"))

        def change(connection: Connection) -> None:
            runs.append(len(runs))
            if len(runs) == 2:
                session.rollback()
            connection.execute(text("ALTER TABLE jobs ADD COLUMN colour text"))

        change_schema(database.engine, change, lock_seconds=0.2)
    assert runs == [0, 1]
    assert "colour" in {column["name"] for column in inspect(database.engine).get_columns("jobs")}


def test_a_migration_that_loses_a_deadlock_runs_again(database: Database) -> None:
    """PostgreSQL ends the one that began to wait first, which is the migration."""
    runs: list[int] = []
    waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'job_requests'::regclass")

    def is_waiting() -> bool:
        with database.engine.connect() as connection:
            return connection.scalar(waits) == 1

    with database.engine.connect() as work, ThreadPoolExecutor(1) as pool:
        work.execute(text("LOCK TABLE job_requests IN ACCESS SHARE MODE"))

        def read_late() -> None:
            eventually(is_waiting, "the migration waits")
            work.execute(text("SELECT count(*) FROM jobs"))
            work.rollback()

        def change(connection: Connection) -> None:
            runs.append(len(runs))
            connection.execute(text("ALTER TABLE jobs ADD COLUMN colour text"))
            if len(runs) == 1:
                reads.append(pool.submit(read_late))
            connection.execute(text("ALTER TABLE job_requests ADD COLUMN colour text"))

        reads: list[Future[None]] = []
        change_schema(database.engine, change, lock_seconds=60.0)
        reads[0].result()
    assert runs == [0, 1]
