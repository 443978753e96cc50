"""While the object storage is frozen, other requests are served, and readiness names the storage."""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import cast

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from infra.local.stack import EmbeddedStack
from services.api.problems.codes import ProblemCode
from services.api.process.gateway import Gateway
from services.api.settings import GatewayProcessSettings
from shared.settings import BrokerSettings
from tests.support.gateway.clients import Project, assert_problem, png
from tests.support.gateway.running import running_gateway
from tests.support.platforms.platform import eventually
from tests.support.servers.processes import Member

READERS = 12
AT_ONCE_SECONDS = 2.0
"""Limit of a fast answer on a busy machine; a call that waits for the storage takes ten seconds or more."""


@pytest.fixture
def reachable(
    gateway_settings: GatewayProcessSettings, stack: EmbeddedStack, alice: Project
) -> Iterator[Project]:
    """Alice, with a gateway whose servers all answer."""
    broker = BrokerSettings(broker_url=SecretStr(stack.environment["BROKER_URL"]))
    with running_gateway(gateway_settings.model_copy(update={"broker": broker})) as client:
        yield Project(client, alice.project_id, alice.token)


@contextmanager
def frozen_storage(stack: EmbeddedStack) -> Iterator[None]:
    storage = next(process for process in stack.processes if process.name == "seaweedfs")
    with Member(storage).frozen():
        yield


def timed(ask: "Future[httpx2.Response]") -> tuple[httpx2.Response, float]:
    started = time.monotonic()
    return ask.result(), time.monotonic() - started


def test_a_frozen_storage_holds_up_nothing_else(
    reachable: Project, bob: Project, stack: EmbeddedStack, caplog: pytest.LogCaptureFixture
) -> None:
    """Fixed bug: ten reads of a frozen storage occupied all threads, so that `/readyz` reported the broker as
    failing and another project's upload waited 40 s.
    """
    caplog.set_level(logging.WARNING)
    url = reachable.upload(png()).json()["url"]
    gateway: Gateway = cast("FastAPI", reachable.client.app).state.gateway  # pyright: ignore[reportAttributeAccessIssue]
    other = Project(reachable.client, bob.project_id, bob.token)
    with ThreadPoolExecutor(READERS + 1) as pool:
        with frozen_storage(stack):
            readers = [pool.submit(reachable.get, url) for _ in range(READERS)]
            eventually(lambda: gateway.storage.in_progress >= READERS - 2, "reads of the frozen storage")

            for ask in (other.submit, lambda: other.get("/v1/jobs"), lambda: other.get("/v1/models")):
                answer, seconds = timed(pool.submit(ask))
                assert answer.status_code < 300
                assert seconds < AT_ONCE_SECONDS
            ready = reachable.client.get("/ready")
            assert ready.status_code == 200
            assert ready.json()["checks"] == {"postgres": "ok", "broker": "ok", "storage": "failing"}

            def is_refused_at_once() -> httpx2.Response | None:
                answer, seconds = timed(pool.submit(other.upload, png()))
                return answer if answer.status_code == 503 and seconds < AT_ONCE_SECONDS else None

            refused = eventually(is_refused_at_once, "a refusal at once")
            assert_problem(refused, ProblemCode.STORAGE_UNAVAILABLE)
            assert int(refused.headers["retry-after"]) > 0
        assert {reader.result().status_code for reader in readers} <= {200, 503}

    eventually(lambda: reachable.get(url).status_code == 200, "reads of the storage that is back")
    assert reachable.client.get("/ready").json()["status"] == "ready"
    told = [record.getMessage() for record in caplog.records if record.name.endswith("storage_calls")]
    assert told == [
        "the object storage does not answer; retrying until it does",
        "the object storage answers again",
    ]
