"""What is done again and again, whoever does it."""

from collections.abc import Iterator

import pytest
import valkey
from celery import Celery

from infra.local.stack import EmbeddedStack
from services.worker.io_worker import IoWorker
from shared.events import EventPublisher
from shared.jobs import Queue
from shared.tables import WorkerRow
from tests.integration.worker.platform import PlatformUnderTest


@pytest.fixture
def broker(stack: EmbeddedStack) -> Iterator[valkey.Valkey]:
    """The broker without messages."""
    with valkey.Valkey.from_url(stack.environment["BROKER_URL"]) as broker:
        broker.flushdb()
        yield broker
        broker.flushdb()


def test_doorbells_are_rung_again_only_where_a_worker_can_hear_them(
    platform: PlatformUnderTest, celery_app: Celery, broker: valkey.Valkey, publisher: EventPublisher
) -> None:
    io_worker = IoWorker(celery_app, platform.database, platform.storage, publisher, platform.settings.jobs)
    platform.ask()
    platform.ask()

    io_worker.ring_doorbells()
    assert broker.llen(Queue.GENERATE) == 0

    with platform.database.transaction() as session:
        session.add(WorkerRow(id="worker-1", queues=[Queue.GENERATE.value], slots=1, model={}))
    io_worker.ring_doorbells()
    assert broker.llen(Queue.GENERATE) == 2
    assert broker.llen(Queue.EDIT) == 0
