"""The migrations build exactly the tables, forward and back, with data in them."""

from uuid import UUID

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from migrations import runner
from shared.database import Database
from shared.job_store import succeed_job
from shared.tables import Base
from tests.integration.factories import must_claim, one_picture, queue_job

SCHEMA_FACTS = {
    "columns": """SELECT table_name, column_name, data_type, is_nullable, column_default, ordinal_position
        FROM information_schema.columns WHERE table_schema = 'public'""",
    "constraints": """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "options": """SELECT relname, reloptions::text FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'""",
}
VERSION_TABLE = "alembic_version"


def schema(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    """Everything PostgreSQL knows of the schema, without Alembic's own table."""
    return {
        name: sorted(tuple(row) for row in connection.execute(text(query)) if VERSION_TABLE not in row[0])
        for name, query in SCHEMA_FACTS.items()
    }


def test_alembic_finds_no_difference_to_the_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_indexes_and_storage_options_are_those_of_the_tables(database: Database) -> None:
    with database.engine.begin() as connection:
        migrated = schema(connection)
        Base.metadata.drop_all(connection)
        Base.metadata.create_all(connection)
        assert schema(connection) == migrated


def test_a_database_with_data_goes_back_and_forward(database: Database, project_id: UUID) -> None:
    queue_job(database, project_id)
    with database.transaction() as session:
        succeed_job(session, must_claim(database).lease, one_picture())
    with database.engine.begin() as connection:
        before = schema(connection)

        runner.downgrade(connection)
        assert set(inspect(connection).get_table_names()) == {VERSION_TABLE}

        runner.upgrade(connection)
        assert schema(connection) == before
