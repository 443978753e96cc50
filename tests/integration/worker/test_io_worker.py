"""The periodic work of the io worker."""

from collections.abc import Iterator

import pytest
import valkey
from celery import Celery
from sqlalchemy import insert, select, update

from infra.local.stack import EmbeddedStack
from services.worker.maintenance.io_worker import IoWorker
from shared.events import EventPublisher
from shared.job_store.clock import database_time, time_after
from shared.jobs import Queue
from shared.tables import WorkerRow
from tests.support.platforms.platform import PlatformUnderTest, eventually


@pytest.fixture
def broker(stack: EmbeddedStack) -> Iterator[valkey.Valkey]:
    """A client of the broker, which has no messages."""
    with valkey.Valkey.from_url(stack.environment["BROKER_URL"]) as broker:
        broker.flushdb()
        yield broker
        broker.flushdb()


def test_doorbells_are_sent_again_only_to_queues_with_a_live_worker(
    platform: PlatformUnderTest, celery_app: Celery, broker: valkey.Valkey, publisher: EventPublisher
) -> None:
    io_worker = IoWorker(celery_app, platform.database, platform.storage, publisher, platform.settings.jobs)
    platform.ask()
    platform.ask()

    io_worker.rounds.ring_doorbells()
    assert broker.llen(Queue.GENERATE) == 0

    with platform.database.transaction() as session:
        session.add(WorkerRow(id="worker-1", queues=[Queue.GENERATE.value], slots=1, model={}))
    io_worker.rounds.ring_doorbells()
    assert broker.llen(Queue.GENERATE) == 2
    assert broker.llen(Queue.EDIT) == 0


def test_a_worker_counts_as_gone_after_a_lease_time_without_heartbeats_and_as_live_after_the_next(
    platform: PlatformUnderTest, celery_app: Celery, publisher: EventPublisher
) -> None:
    """Fixed bug: killed workers counted as live for ten lease times instead of one."""
    jobs = platform.settings.jobs
    io_worker = IoWorker(celery_app, platform.database, platform.storage, publisher, jobs)

    def living() -> set[str]:
        io_worker.rounds.reap()
        with platform.database.transaction() as session:
            return set(session.scalars(select(WorkerRow.id).where(WorkerRow.left_at.is_(None))))

    with platform.database.transaction() as session:
        row = {"queues": [Queue.GENERATE.value], "slots": 1, "model": {}}
        silent = {"heartbeat_at": time_after(-jobs.lease_seconds - 1)}
        session.execute(insert(WorkerRow).values(id="killed", **row, **silent))
    with platform.working() as worker:
        eventually(lambda: living() == {worker.id}, "the first heartbeat")
        with platform.database.transaction() as session:
            session.execute(update(WorkerRow).values(left_at=database_time()))
        eventually(lambda: living() == {worker.id}, "a heartbeat")
