"""A gateway on real servers, and two projects that call it."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from infra.local.stack import EmbeddedStack
from services.api.app import create_app
from shared.database import Database
from shared.security import generate_api_key
from shared.settings import (
    BrokerSettings,
    DatabaseSettings,
    GatewaySettings,
    JobSettings,
    Settings,
    StorageSettings,
    TokenizerSettings,
    WorkerSettings,
)
from shared.tables import ApiKey
from tests.integration.api.clients import NO_BROKER, Project
from tests.integration.api.conformance import DocumentedClient
from tests.integration.factories import make_project


@pytest.fixture
def gateway_settings(stack: EmbeddedStack, settings: DatabaseSettings) -> Settings:
    """The test's own database and bucket prefix; a broker that is away, as it may be at any time."""
    environment = stack.environment
    return Settings(
        database=settings,
        broker=BrokerSettings(broker_url=SecretStr(NO_BROKER), redis_url=SecretStr(environment["REDIS_URL"])),
        storage=StorageSettings(
            bucket=environment["S3_BUCKET"],
            endpoint_url=environment["S3_ENDPOINT_URL"],
            access_key_id=SecretStr(environment["S3_ACCESS_KEY_ID"]),
            secret_access_key=SecretStr(environment["S3_SECRET_ACCESS_KEY"]),
            prefix=f"{uuid4().hex}/",
        ),
        jobs=JobSettings(),
        gateway=GatewaySettings(public_url="http://testserver", max_body_bytes=2_000_000),
        worker=WorkerSettings(),
        tokenizer=TokenizerSettings(),
    )


@contextmanager
def running_gateway(settings: Settings) -> Generator[TestClient]:
    """The application with its lifespan; a fault inside is raised in the test."""
    with DocumentedClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def client(gateway_settings: Settings) -> Iterator[TestClient]:
    """A client without a key."""
    with running_gateway(gateway_settings) as client:
        yield client


def admit(database: Database, client: TestClient, name: str) -> Project:
    """A new project with a key."""
    project_id = make_project(database, name)
    return Project(client, project_id, make_key(database, project_id))


def make_key(database: Database, project_id: UUID) -> str:
    """The token of a new key."""
    key = generate_api_key()
    with database.transaction() as session:
        session.add(ApiKey(project_id=project_id, name="test", hint=key.hint, sha256=key.sha256))
    return key.token


@pytest.fixture
def alice(database: Database, client: TestClient) -> Project:
    """A project."""
    return admit(database, client, "alice")


@pytest.fixture
def bob(database: Database, client: TestClient) -> Project:
    """Another project, which must see nothing of the first."""
    return admit(database, client, "bob")
