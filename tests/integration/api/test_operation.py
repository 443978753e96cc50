"""Health, readiness, doorbells, metrics and models."""

import asyncio
import re
import socket
from collections.abc import Iterator

import pytest
import redis
from pydantic import SecretStr
from starlette.testclient import TestClient

from infra.local.stack import EmbeddedStack
from services.api.http.metrics import Metrics
from services.api.problems.codes import ProblemCode
from services.api.process.doorbell import Doorbell, Doorbells
from services.api.settings import GatewayProcessSettings
from shared.database import Database
from shared.jobs import Queue
from shared.settings import BrokerSettings, DatabaseSettings, StorageSettings
from shared.tables import WorkerRow
from tests.support.gateway.clients import NO_BROKER, Project, assert_problem, png
from tests.support.gateway.running import running_gateway

NO_DATABASE = "postgresql://nobody:nothing@127.0.0.1:1/nowhere"


@pytest.fixture
def broker_url(stack: EmbeddedStack) -> Iterator[str]:
    """URL of the stack's broker, which is emptied after the test."""
    url = stack.environment["BROKER_URL"]
    yield url
    with redis.Redis.from_url(url) as client:
        client.flushdb()


def replace(settings: GatewayProcessSettings, **parts: object) -> GatewayProcessSettings:
    return settings.model_copy(update=parts)


def test_health_asks_nobody(gateway_settings: GatewayProcessSettings) -> None:
    dead = replace(gateway_settings, database=DatabaseSettings(url=SecretStr(NO_DATABASE)))
    with running_gateway(dead) as client:
        assert client.get("/health").json() == {"status": "ok"}
        assert client.get("/healthz").status_code == 200


def test_a_gateway_with_all_its_servers_is_ready(
    gateway_settings: GatewayProcessSettings, broker_url: str
) -> None:
    broker = BrokerSettings(broker_url=SecretStr(broker_url))
    with running_gateway(replace(gateway_settings, broker=broker)) as client:
        answer = client.get("/ready")
        assert answer.json() == {
            "status": "ready",
            "checks": {"postgres": "ok", "broker": "ok", "storage": "ok"},
        }
        assert client.get("/readyz").status_code == 200


def test_without_its_broker_a_gateway_is_degraded_and_takes_jobs(alice: Project) -> None:
    answer = alice.client.get("/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"] == {"postgres": "ok", "broker": "failing", "storage": "ok"}
    assert alice.submit().status_code == 202


def test_without_its_database_a_gateway_is_unavailable_and_says_so(
    gateway_settings: GatewayProcessSettings,
) -> None:
    dead = replace(gateway_settings, database=DatabaseSettings(url=SecretStr(NO_DATABASE)))
    with running_gateway(dead) as client:
        answer = client.get("/ready")
        assert (answer.status_code, answer.json()["checks"]["postgres"]) == (503, "failing")
        refused = client.get("/v1/jobs", headers={"Authorization": "Bearer lum_any"})
        assert_problem(refused, ProblemCode.DATABASE_UNAVAILABLE)
        assert refused.headers["retry-after"] == "2"


def test_without_its_storage_a_gateway_is_degraded_and_refuses_pictures(
    gateway_settings: GatewayProcessSettings, alice: Project
) -> None:
    storage = StorageSettings(
        bucket="luminary",
        endpoint_url="http://127.0.0.1:1",
        access_key_id=SecretStr("id"),
        secret_access_key=SecretStr("secret"),
    )
    with running_gateway(replace(gateway_settings, storage=storage)) as client:
        elsewhere = Project(client, alice.project_id, alice.token)
        refused = elsewhere.upload(png())
        assert_problem(refused, ProblemCode.STORAGE_UNAVAILABLE)
        assert elsewhere.submit().status_code == 202


def test_a_queued_job_rings_the_doorbell_of_its_queue(
    gateway_settings: GatewayProcessSettings, alice: Project, broker_url: str
) -> None:
    broker = BrokerSettings(broker_url=SecretStr(broker_url))
    with running_gateway(replace(gateway_settings, broker=broker)) as client:
        ringing = Project(client, alice.project_id, alice.token)
        ringing.submit()
        ringing.submit()
    with redis.Redis.from_url(broker_url) as client:
        assert client.llen(Queue.GENERATE.value) == 2
        message = client.lindex(Queue.GENERATE.value, 0)
    assert isinstance(message, bytes)
    assert b"generate.doorbell" in message


def test_a_doorbell_without_a_broker_is_counted_and_hurts_nobody() -> None:
    metrics = Metrics()
    doorbell = Doorbell(NO_BROKER, metrics)
    doorbell.ring(Queue.EDIT)
    doorbell.close()
    failed = metrics.registry.get_sample_value(
        "luminary_gateway_doorbells_total", {"queue": "edit", "outcome": "failed"}
    )
    assert failed == 1
    assert doorbell.is_reachable() is False


def test_workers_of_another_broker_are_woken_although_the_own_one_is_dead(broker_url: str) -> None:
    elsewhere = broker_url.rpartition("/")[0] + "/7"
    settings = BrokerSettings(broker_url=SecretStr(NO_BROKER), more_broker_urls=SecretStr(elsewhere))
    doorbells = Doorbells(settings, Metrics())
    doorbells.ring(Queue.DENSE)
    doorbells.close()
    assert not doorbells.is_reachable()
    with redis.Redis.from_url(elsewhere) as client:
        assert client.llen(Queue.DENSE.value) == 1


def test_a_gateway_leaves_although_its_broker_is_deaf() -> None:
    metrics, asked = Metrics(), 50
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        doorbell = Doorbell(f"redis://127.0.0.1:{deaf.getsockname()[1]}/0", metrics)
        for _ in range(asked):
            doorbell.ring(Queue.EDIT)
        doorbell.close()
    failed = metrics.registry.get_sample_value(
        "luminary_gateway_doorbells_total", {"queue": "edit", "outcome": "failed"}
    )
    assert failed is not None
    assert 0 < failed < asked


def test_refusals_are_counted_by_code(client: TestClient) -> None:
    client.get("/v1/jobs")
    assert 'luminary_gateway_problems_total{code="unauthenticated"} 1.0' in client.get("/metrics").text


def test_requests_are_counted_by_route_and_never_by_path(client: TestClient, alice: Project) -> None:
    alice.get("/v1/jobs/job_0190a000-0000-7000-8000-000000000001")
    client.get("/no/such/path")
    text = client.get("/metrics").text
    route = 'method="GET",route="/v1/jobs/{job_id}",status="4xx"'
    assert f"luminary_gateway_request_seconds_count{{{route}}} 1.0" in text
    assert 'route="other",status="4xx"} 1.0' in text
    assert "0190a000" not in text
    assert 'route="/metrics"' not in text


def test_the_fleet_is_in_the_metrics(client: TestClient, alice: Project, database: Database) -> None:
    alice.submit()
    with database.transaction() as session:
        for name, queues, slots, draining in (
            ("a", ["edit", "generate"], 4, False),
            ("b", ["edit"], 2, True),
        ):
            session.add(WorkerRow(id=name, queues=queues, slots=slots, draining=draining, model={}))
    text = client.get("/metrics").text
    for line in (
        'luminary_fleet_workers{queue="edit",state="live"} 1.0',
        'luminary_fleet_workers{queue="edit",state="draining"} 1.0',
        'luminary_fleet_workers{queue="dense",state="live"} 0.0',
        'luminary_fleet_slots{queue="edit"} 4.0',
        'luminary_queue_oldest_seconds{queue="edit"} 0.0',
        'luminary_fleet_codes_per_second{queue="generate"} 0.0',
        "luminary_webhooks_due 0.0",
    ):
        assert line in text, line
    oldest = re.search(r'luminary_queue_oldest_seconds\{queue="generate"\} (\S+)', text)
    assert oldest is not None
    assert 0 < float(oldest[1]) < 60


def test_models_are_those_of_workers_that_live(alice: Project, database: Database) -> None:
    assert alice.get("/v1/models").json() == {"object": "list", "data": []}
    tiny = {"name": "luminary-tiny", "tasks": ["edit"], "precision": "float32"}
    with database.transaction() as session:
        for name, model in (("a", tiny), ("b", tiny), ("c", {"name": "other"})):
            session.add(WorkerRow(id=name, queues=["generate"], slots=4, model=model))
        session.flush()
        session.connection().exec_driver_sql(
            "UPDATE workers SET heartbeat_at = now() - interval '1 hour' WHERE id = 'c'"
        )
    (model,) = alice.get("/v1/models").json()["data"]
    assert (model["id"], model["object"], model["workers"], model["slots"]) == (
        "luminary-tiny",
        "model",
        2,
        8,
    )
    assert (model["tasks"], model["precision"]) == (["edit"], "float32")


def test_a_model_shows_which_numerics_identities_its_workers_have(alice: Project, database: Database) -> None:
    """Fixed bug: the API did not show that two workers of one model draw different bits."""
    with database.transaction() as session:
        for name, precision, slots in (("a", "bf16", 2), ("b", "bf16", 2), ("c", "fp32", 1)):
            model = {"name": "tiny", "numerics": {"id": precision, "precision": precision}}
            session.add(WorkerRow(id=name, queues=["generate"], slots=slots, model=model, numerics=precision))
        session.add(WorkerRow(id="d", queues=["generate"], slots=1, model={"name": "tiny"}))
    (model,) = alice.get("/v1/models").json()["data"]
    assert model["workers"] == 4
    assert model["numerics"] == [
        {"id": "bf16", "workers": 2, "slots": 4, "precision": "bf16"},
        {"id": "fp32", "workers": 1, "slots": 1, "precision": "fp32"},
    ]


def test_the_gateway_does_not_need_torch() -> None:
    code = "import sys, services.api.app; sys.exit('torch' in sys.modules)"

    async def run() -> int:
        import sys

        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
        return await process.wait()

    assert asyncio.run(run()) == 0


def test_metrics_show_the_work_of_each_queue_and_nothing_while_the_database_is_away(
    gateway_settings: GatewayProcessSettings, alice: Project
) -> None:
    waiting = 'luminary_queue_jobs{model="any",queue="generate",state="waiting"}'
    assert f"{waiting} 0.0" in alice.client.get("/metrics").text
    assert alice.submit().status_code == 202
    with running_gateway(
        gateway_settings
    ) as fresh:  # the figures of the first one are three seconds old at most
        assert f"{waiting} 1.0" in fresh.get("/metrics").text
        assert (
            'luminary_queue_jobs{model="any",queue="dense",state="running"} 0.0' in fresh.get("/metrics").text
        )
    dead = replace(gateway_settings, database=DatabaseSettings(url=SecretStr(NO_DATABASE)))
    with running_gateway(dead) as client:
        answer = client.get("/metrics")
        assert answer.status_code == 200
        assert "luminary_queue_jobs{" not in answer.text
