"""Row-level security: a transaction of one project has no part of other projects' rows, whatever it asks."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from infra.local.stack import EmbeddedStack
from services.api.process.acting import Purpose, acting_project, as_platform, as_project
from shared.async_database import AsyncDatabase
from shared.database import Database
from shared.settings import DatabaseSettings
from shared.tables import Base
from shared.tables.walls import EVERYONE, GATEWAY_ROLE, ONE_PROJECT, PLATFORM_TABLES, TENANT_TABLES
from shared.walls import Wall
from tests.support.factories import make_project
from tests.support.one_row_each import fill_all_tables
from tests.support.servers.databases import database_settings

Value = TypeVar("Value")
COUNT = "SELECT count(*) FROM TABLE"
INSERT = """INSERT INTO TABLE OVERRIDING SYSTEM VALUE
    SELECT * FROM jsonb_populate_record(NULL::TABLE, CAST(:row AS jsonb))"""


def of(table: str, statement: str) -> str:
    """The statement about this table."""
    return statement.replace("TABLE", table)


@pytest.fixture
def hers(database: Database) -> UUID:
    """A project with a row in each table."""
    project_id = make_project(database, "hers")
    fill_all_tables(database, project_id)
    return project_id


@pytest.fixture
def his(database: Database) -> UUID:
    """Another project, which has nothing."""
    return make_project(database, "his")


def with_wall(
    settings: DatabaseSettings,
    story: Callable[[AsyncDatabase], Awaitable[Value]],
    *,
    is_required: bool = True,
) -> Value:
    """Do something with the gateway's database."""

    async def run() -> Value:
        database = AsyncDatabase(settings, wall=Wall(acting_project, is_required))
        try:
            return await story(database)
        finally:
            await database.dispose()

    return asyncio.run(run())


async def value(session: AsyncSession, statement: str, **parameters: Any) -> Any:
    """The only value of a statement."""
    return (await session.execute(text(statement), parameters)).scalar_one()


def test_each_table_is_a_projects_or_the_platforms(database: Database) -> None:
    assert TENANT_TABLES.keys() | PLATFORM_TABLES.keys() == Base.metadata.tables.keys(), (
        "put the new table into shared/tables/walls.py, and behind the wall in its migration"
    )
    assert not TENANT_TABLES.keys() & PLATFORM_TABLES.keys()
    policies = text(
        """SELECT relname, array_agg(polname ORDER BY polname) FROM pg_policy
        JOIN pg_class ON pg_class.oid = polrelid WHERE relrowsecurity GROUP BY relname"""
    )
    with database.transaction() as session:
        found = {name: set(names) for name, names in session.execute(policies)}
    assert found == {table: {EVERYONE, ONE_PROJECT} for table in TENANT_TABLES}


def test_a_statement_without_a_filter_shows_nothing_of_another_project(
    settings: DatabaseSettings, hers: UUID, his: UUID
) -> None:
    async def counts(database: AsyncDatabase) -> dict[str, int]:
        async with database.transaction() as session:
            return {table: await value(session, of(table, COUNT)) for table in TENANT_TABLES}

    async def story(database: AsyncDatabase) -> None:
        with as_platform(Purpose.METRICS):
            everything = await counts(database)
        assert min(everything.values()) > 0, everything
        with as_project(hers):
            assert await counts(database) == {**everything, "projects": 1}
        with as_project(his):
            assert await counts(database) == {**dict.fromkeys(TENANT_TABLES, 0), "projects": 1}

    with_wall(settings, story)


def test_rows_of_another_project_can_be_neither_changed_nor_deleted_nor_added(
    settings: DatabaseSettings, database: Database, hers: UUID, his: UUID
) -> None:
    with database.transaction() as session:
        rows = {
            table: session.execute(
                text(of(table, "SELECT to_jsonb(t)::text FROM TABLE AS t LIMIT 1"))
            ).scalar_one()
            for table in TENANT_TABLES
        }

    async def story(database: AsyncDatabase) -> None:
        with as_project(his):
            for table, row in rows.items():
                if table == "projects":
                    continue
                column = list(Base.metadata.tables[table].columns)[-1].name
                for statement in ("UPDATE TABLE SET COLUMN = COLUMN", "DELETE FROM TABLE"):
                    async with database.transaction() as session:
                        change = of(table, statement).replace("COLUMN", column)
                        changed: Any = await session.execute(text(change))
                        assert changed.rowcount == 0, statement
                with pytest.raises(DBAPIError, match="row-level security"):
                    async with database.transaction() as session:
                        await session.execute(text(of(table, INSERT)), {"row": row})

    with_wall(settings, story)


def test_the_wall_ends_with_its_transaction(settings: DatabaseSettings, his: UUID) -> None:
    """The next transaction of the same connection is another one's, as behind a pooler."""
    ask = "SELECT current_user || ' ' || coalesce(current_setting('luminary.project', true), '')"

    async def story(database: AsyncDatabase) -> None:
        answers: list[str] = []
        for acting in (as_platform(Purpose.PROBES), as_project(his), as_platform(Purpose.PROBES)):
            async with acting, database.transaction() as session:
                answers.append(await value(session, ask))
        platform = answers[0].strip()
        assert [answer.strip() for answer in answers] == [platform, f"{GATEWAY_ROLE} {his}", platform]
        with as_project(his), pytest.raises(DBAPIError, match="division"):
            async with database.transaction() as session:
                await value(session, "SELECT 1 / 0")
        async with as_platform(Purpose.PROBES), database.transaction() as session:
            assert (await value(session, ask)).strip() == platform

    with_wall(settings.model_copy(update={"pool_size": 1}), story)


def test_a_transaction_for_nobody_is_a_fault(settings: DatabaseSettings) -> None:
    async def story(database: AsyncDatabase) -> None:
        with pytest.raises(RuntimeError, match="as_project or as_platform"):
            async with database.transaction():
                pass

    with_wall(settings, story)


@pytest.fixture
def without_policies(stack: EmbeddedStack, settings: DatabaseSettings) -> None:
    """A database that was migrated before the gateway's role existed."""
    name = make_url(settings.url.get_secret_value()).database
    assert name is not None
    address = database_settings(stack, name, as_owner=True).url.get_secret_value()
    with psycopg.connect(address) as owner:
        for table in TENANT_TABLES:
            owner.execute(f"DROP POLICY {ONE_PROJECT} ON {table}".encode())


@pytest.mark.usefixtures("without_policies")
def test_a_database_without_policies_is_refused_if_they_are_required(
    settings: DatabaseSettings, his: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(database: AsyncDatabase) -> int:
        async with as_project(his), database.transaction() as session:
            return await value(session, "SELECT count(*) FROM projects")

    with pytest.raises(OperationalError, match=r"migrations\.roles"):
        with_wall(settings, story)
    caplog.clear()
    assert with_wall(settings, story, is_required=False) == 1
    assert [record.message for record in caplog.records if "row-level" in record.message] != []
