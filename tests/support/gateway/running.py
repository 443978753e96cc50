"""Run a gateway in the test's process, and create projects with keys for it."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from starlette.testclient import TestClient

from services.api.app import create_app
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.security import generate_api_key
from shared.tables import ApiKey
from tests.support.factories import make_project
from tests.support.gateway.clients import Project
from tests.support.gateway.conformance import DocumentedClient


@contextmanager
def running_gateway(settings: GatewayProcessSettings) -> Generator[TestClient]:
    """Run the application with its lifespan; an unexpected error in it is raised in the test."""
    with DocumentedClient(create_app(settings)) as client:
        yield client


def admit(database: Database, client: TestClient, name: str, **key: Any) -> Project:
    """Create a project with a key. key: columns of the key's row that are not the usual ones."""
    project_id = make_project(database, name)
    return Project(client, project_id, make_key(database, project_id, **key))


def make_key(database: Database, project_id: UUID, **columns: Any) -> str:
    """Create a key and return its token."""
    key = generate_api_key()
    with database.transaction() as session:
        session.add(
            ApiKey(
                **{"project_id": project_id, "name": "test", "hint": key.hint, **columns}, sha256=key.sha256
            )
        )
    return key.token
