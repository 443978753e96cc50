"""Lists come from a replica of the database that has all that the primary has, otherwise from the primary."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from infra.local.stack import EmbeddedStack
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from tests.support.gateway.clients import Project
from tests.support.gateway.running import admit, running_gateway
from tests.support.gateway.sessions import create, tree
from tests.support.platforms.platform import eventually
from tests.support.servers.replica import Replica, replica_of


@pytest.fixture
def replica(stack: EmbeddedStack) -> Iterator[Replica]:
    assert stack.postgres is not None
    with tempfile.TemporaryDirectory(prefix="luminary-replica-") as folder:
        Path(folder).chmod(0o755)  # the server runs as another account
        with replica_of(stack.postgres, Path(folder) / "replica") as running:
            yield running


@pytest.fixture
def client(gateway_settings: GatewayProcessSettings, replica: Replica) -> Iterator[TestClient]:
    """A client of a gateway with a replica."""
    url = SecretStr(replica.address(gateway_settings.database.url.get_secret_value()))
    gateway = gateway_settings.gateway.model_copy(update={"replica_url": url})
    with running_gateway(gateway_settings.model_copy(update={"gateway": gateway})) as client:
        yield client


def reads(client: TestClient) -> dict[str, int]:
    """The number of reads of each server so far."""
    name = "luminary_gateway_reads_total{"
    lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith(name)]
    return {line.split('"')[1]: int(float(line.split()[-1])) for line in lines}


def listed(project: Project) -> list[str]:
    return [job["id"] for job in project.get("/v1/jobs").json()["data"]]


def test_a_list_has_what_was_just_written_whichever_server_it_is_read_from(
    database: Database, client: TestClient, replica: Replica
) -> None:
    alice = admit(database, client, "alice")
    jobs: list[str] = []
    for seed in range(10):
        jobs.insert(0, alice.submit(seed=seed).json()["id"])
        assert listed(alice) == jobs
    session = create(alice, title="House", prompt="a red house")
    assert tree(alice, session)["title"] == "House"
    eventually(lambda: listed(alice) and reads(client).get("replica", 0) > 0, "a read of the replica")

    with replica.behind():
        before = reads(client)
        jobs = listed(alice)
        jobs.insert(0, alice.submit(seed=99).json()["id"])
        assert listed(alice) == jobs
        after = reads(client)
        assert after["primary"] > before.get("primary", 0)

    def comes_back() -> bool:
        before = reads(client)["replica"]
        assert listed(alice) == jobs
        return reads(client)["replica"] > before

    eventually(comes_back, "the return of the replica")
    replica.process.stop()
    before = reads(client)
    assert listed(alice) == jobs
    assert reads(client)["replica"] == before["replica"]
