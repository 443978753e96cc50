"""Faults of the broker: jobs finish without it, and workers receive doorbells again when it is back."""

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import valkey

from services.worker.broker.celery_app import create_celery_app
from services.worker.broker.doorbells import ring_doorbell
from services.worker.claiming.slots import JITTER
from shared.jobs import Queue
from shared.settings import JobSettings
from tests.support.platforms.evidence import assert_done_exactly_once
from tests.support.platforms.installation import Installation
from tests.support.platforms.platform import PlatformUnderTest, eventually

WAITING = 50
NOWHERE = "redis://127.0.0.1:1/0"
"""Nothing listens on port 1 (tcpmux)."""


@contextmanager
def flushed(installation: Installation) -> Iterator[None]:
    """Delete all waiting messages at the start of the block."""
    with valkey.Valkey.from_url(installation.settings.broker.broker_url.get_secret_value()) as client:
        client.flushall()
    yield


@contextmanager
def killed(installation: Installation) -> Iterator[None]:
    """Kill the broker for the duration of the block."""
    broker = installation.server("valkey")
    broker.kill()
    yield
    broker.process.start()
    eventually(lambda: answers_ping(installation), "the broker's return")


@contextmanager
def half_open(installation: Installation) -> Iterator[None]:
    """Freeze the broker for the block: connections stay open and new ones are accepted, without an answer."""
    with installation.server("valkey").frozen():
        yield


def answers_ping(installation: Installation) -> bool:
    """Whether the broker answers PING."""
    try:
        with valkey.Valkey.from_url(installation.settings.broker.broker_url.get_secret_value()) as client:
            return bool(client.ping())
    except valkey.ConnectionError:
        return False


@pytest.mark.long
@pytest.mark.parametrize("fault", [flushed, killed, half_open], ids=lambda fault: fault.__name__)
def test_fifty_waiting_jobs_are_done_although_the_broker_fails(
    installation: Installation,
    platform: PlatformUnderTest,
    fault: Callable[[Installation], AbstractContextManager[None]],
) -> None:
    with fault(installation):
        jobs = [platform.ask(seed=seed) for seed in range(WAITING)]
        for job_id in jobs:
            platform.finished(job_id)
    for job_id in jobs:
        assert_done_exactly_once(platform, job_id)
    assert hears_doorbells(installation)


def test_a_worker_that_never_finds_its_broker_works_and_leaves_in_order(
    installation: Installation, platform: PlatformUnderTest
) -> None:
    with installation.worker.frozen(), installation.deaf_worker(NOWHERE) as deaf:
        job_id = platform.ask()
        platform.finished(job_id)
        deaf.send(signal.SIGTERM)
        assert deaf.exited() == 0
    assert_done_exactly_once(platform, job_id)


def test_an_idle_slot_looks_for_jobs_at_least_every_two_seconds() -> None:
    assert JobSettings().poll_seconds * (1 + JITTER) <= 2.0


def hears_doorbells(installation: Installation) -> bool:
    """Whether a worker receives a doorbell that is sent now."""
    url = installation.settings.broker.broker_url.get_secret_value()
    with create_celery_app(installation.settings.broker) as app, valkey.Valkey.from_url(url) as client:
        ring_doorbell(app, Queue.GENERATE, 1)
        return eventually(lambda: client.llen(Queue.GENERATE) == 0, "the answer to a doorbell")
