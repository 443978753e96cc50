"""Fixtures: one embedded stack for the test session, a database and a bucket prefix for each test.

Each test process (pytest-xdist starts several) has its own stack in a temporary folder. Databases are copied
from a migrated template, which takes a fraction of a second.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine

from infra.local.postgres import OWNER
from infra.local.stack import EmbeddedStack
from migrations import runner
from shared.database import Database, sqlalchemy_url
from shared.events import EventPublisher
from shared.settings import DatabaseSettings, StorageSettings
from shared.storage import ObjectStorage
from tests.support.factories import make_project
from tests.support.servers.databases import administer, database_settings
from tests.support.servers.rabbitmq import RabbitServer, running_rabbitmq, server_script

TEMPLATE = "luminary_template"


@pytest.fixture(scope="session")
def stack() -> Iterator[EmbeddedStack]:
    """The three embedded servers, without fsync."""
    folder = Path(tempfile.mkdtemp(prefix="luminary-tests-"))
    with EmbeddedStack(folder, environment={}, durable=False) as running:
        yield running
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    """A RabbitMQ broker for the test session."""
    script = server_script()
    if script is None:
        pytest.skip("RabbitMQ is not installed (rabbitmq-server and epmd, as in Debian's packages)")
    with running_rabbitmq(tmp_path_factory.mktemp("rabbitmq") / "server", script) as server:
        yield server


@pytest.fixture(scope="session")
def template_database(stack: EmbeddedStack) -> str:
    """A migrated database, which is copied for every test."""
    assert stack.postgres is not None
    stack.postgres.set_up(TEMPLATE)
    engine = create_engine(sqlalchemy_url(database_settings(stack, TEMPLATE, as_owner=True)))
    with engine.begin() as connection:
        runner.upgrade(connection)
    engine.dispose()
    return TEMPLATE


@pytest.fixture
def settings(stack: EmbeddedStack, template_database: str) -> Iterator[DatabaseSettings]:
    """Settings of an empty migrated database for one test."""
    name = f"test_{uuid4().hex}"
    administer(stack, "CREATE DATABASE {} TEMPLATE {} OWNER {}", name, template_database, OWNER)
    yield database_settings(stack, name)
    administer(stack, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def database(settings: DatabaseSettings) -> Iterator[Database]:
    """The database of the test."""
    database = Database(settings)
    yield database
    database.dispose()


@pytest.fixture
def storage_settings(stack: EmbeddedStack) -> StorageSettings:
    """Settings of the bucket with a prefix for one test."""
    environment = stack.environment
    return StorageSettings(
        bucket=environment["S3_BUCKET"],
        endpoint_url=environment["S3_ENDPOINT_URL"],
        access_key_id=SecretStr(environment["S3_ACCESS_KEY_ID"]),
        secret_access_key=SecretStr(environment["S3_SECRET_ACCESS_KEY"]),
        prefix=f"{uuid4().hex}/",
    )


@pytest.fixture
def storage(storage_settings: StorageSettings) -> ObjectStorage:
    """A client of the test's bucket prefix."""
    return ObjectStorage(storage_settings)


@pytest.fixture
def publisher(stack: EmbeddedStack) -> Iterator[EventPublisher]:
    """The publisher that workers send events with."""
    publisher = EventPublisher(stack.environment["REDIS_URL"])
    yield publisher
    publisher.close()


@pytest.fixture
def project_id(database: Database) -> UUID:
    """A project without limits."""
    return make_project(database, "test")
