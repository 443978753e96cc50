"""Fixtures: a gateway with real servers, and two projects that call it."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from infra.local.stack import EmbeddedStack
from services.api.settings import GatewayProcessSettings, GatewaySettings
from shared.database import Database
from shared.settings import (
    BrokerSettings,
    DatabaseSettings,
    JobSettings,
    StorageSettings,
    TokenizerAddress,
)
from tests.support.gateway.clients import NO_BROKER, NO_SERVER, Project
from tests.support.gateway.named_projects import checked_statements
from tests.support.gateway.openai import Painter, add_worker
from tests.support.gateway.running import admit, running_gateway
from tests.support.gateway.sessions import Json, create, draw, tree


@pytest.fixture
def gateway_settings(stack: EmbeddedStack, settings: DatabaseSettings) -> GatewayProcessSettings:
    """Settings with the test's own database and bucket prefix, and an unreachable broker."""
    environment = stack.environment
    return GatewayProcessSettings(
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
        tokenizer=TokenizerAddress(url=NO_SERVER),
    )


@pytest.fixture
def client(gateway_settings: GatewayProcessSettings) -> Iterator[TestClient]:
    """A client without a key."""
    with running_gateway(gateway_settings) as client:
        yield client


@pytest.fixture
def alice(database: Database, client: TestClient) -> Project:
    """A project with a key."""
    return admit(database, client, "alice")


@pytest.fixture
def bob(database: Database, client: TestClient) -> Project:
    """Another project, which must not see anything of alice's."""
    return admit(database, client, "bob")


@pytest.fixture
def admin(database: Database, client: TestClient) -> Project:
    """The operator's project, with a key that only administers."""
    return admit(database, client, "operator", scopes=["admin"])


@pytest.fixture
def painter(
    alice: Project, database: Database, gateway_settings: GatewayProcessSettings
) -> Iterator[Painter]:
    """A worker's row, and a thread that draws every job."""
    add_worker(database)
    with Painter(database, gateway_settings) as painter:
        yield painter


@pytest.fixture
def drawn(alice: Project, database: Database) -> Json:
    """A session whose first turn is drawn."""
    session = create(alice, title="House", prompt="a red house", seed=7)
    draw(database)
    return tree(alice, session)


@pytest.fixture(autouse=True)
def named_projects() -> Iterator[None]:
    """Each statement that a gateway makes for a project takes part of this project's rows alone."""
    with checked_statements() as statements:
        yield
    assert statements.wrong == {}, "tie these tables to the project (docs/decisions/0023)"
