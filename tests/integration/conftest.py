"""One embedded stack for the test session; a database and a bucket prefix for each test.

Each test process (pytest-xdist starts several) has a stack of its own in a temporary folder. Databases are
copied from a migrated template, which takes a fraction of a second.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from infra.local.stack import EmbeddedStack
from migrations import runner
from shared.database import Database, sqlalchemy_url
from shared.events import EventPublisher
from shared.settings import DatabaseSettings, StorageSettings
from shared.storage import ObjectStorage
from tests.integration.factories import make_project
from tests.integration.rabbitmq import RabbitServer, running_rabbitmq, server_script

TEMPLATE = "luminary_template"


@pytest.fixture(scope="session")
def stack() -> Iterator[EmbeddedStack]:
    """The three servers, without fsync."""
    folder = Path(tempfile.mkdtemp(prefix="luminary-tests-"))
    with EmbeddedStack(folder, environment={}, durable=False) as running:
        yield running
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    """A RabbitMQ of the test session's own."""
    script = server_script()
    if script is None:
        pytest.skip("RabbitMQ is not installed (rabbitmq-server and epmd, as in Debian's packages)")
    with running_rabbitmq(tmp_path_factory.mktemp("rabbitmq") / "server", script) as server:
        yield server


def database_settings(stack: EmbeddedStack, name: str) -> DatabaseSettings:
    """The settings of one database of the stack."""
    url = make_url(stack.environment["DATABASE_URL"]).set(database=name)
    return DatabaseSettings(url=SecretStr(url.render_as_string(hide_password=False)), pool_size=8)


def administer(stack: EmbeddedStack, statement: str, *names: str) -> None:
    """Create or drop databases."""
    with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@pytest.fixture(scope="session")
def template_database(stack: EmbeddedStack) -> str:
    """A migrated database that every test copies."""
    administer(stack, "CREATE DATABASE {}", TEMPLATE)
    engine = create_engine(sqlalchemy_url(database_settings(stack, TEMPLATE)))
    with engine.begin() as connection:
        runner.upgrade(connection)
    engine.dispose()
    return TEMPLATE


@pytest.fixture
def settings(stack: EmbeddedStack, template_database: str) -> Iterator[DatabaseSettings]:
    """An empty migrated database of the test's own."""
    name = f"test_{uuid4().hex}"
    administer(stack, "CREATE DATABASE {} TEMPLATE {}", name, template_database)
    yield database_settings(stack, name)
    administer(stack, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def database(settings: DatabaseSettings) -> Iterator[Database]:
    """The unit of work on the test's database."""
    database = Database(settings)
    yield database
    database.dispose()


@pytest.fixture
def storage(stack: EmbeddedStack) -> ObjectStorage:
    """The bucket, below a prefix of the test's own."""
    environment = stack.environment
    return ObjectStorage(
        StorageSettings(
            bucket=environment["S3_BUCKET"],
            endpoint_url=environment["S3_ENDPOINT_URL"],
            access_key_id=SecretStr(environment["S3_ACCESS_KEY_ID"]),
            secret_access_key=SecretStr(environment["S3_SECRET_ACCESS_KEY"]),
            prefix=f"{uuid4().hex}/",
        )
    )


@pytest.fixture
def publisher(stack: EmbeddedStack) -> Iterator[EventPublisher]:
    """The workers' end of pub/sub."""
    publisher = EventPublisher(stack.environment["REDIS_URL"])
    yield publisher
    publisher.close()


@pytest.fixture
def project_id(database: Database) -> UUID:
    """A project that may do everything."""
    return make_project(database, "test")
