"""The workers, the longest wait of each queue and the webhooks that are due, read when metrics are asked for.

They come from the gateway, because a queue without a worker has no worker that could show them. While the
database does not answer there are none.
"""

import time
from collections.abc import Callable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.api.http.metrics import Metrics
from services.api.process.acting import Purpose, as_platform
from services.api.process.database_figures import DatabaseFigures
from shared.async_database import AsyncDatabase
from shared.job_store.clock import database_time, time_after
from shared.jobs import ACTIVE_STATES, JobState, Queue
from shared.tables import Delivery, DeliveryState, Job, WorkerRow

LIVE, DRAINING, SILENT = "live", "draining", "silent"


class FleetMetrics(DatabaseFigures):
    """Keeps the gauges up to date."""

    def __init__(
        self,
        database: AsyncDatabase,
        metrics: Metrics,
        lease_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """lease_seconds: a worker without a heartbeat for this long is silent."""
        super().__init__(database, clock)
        self._metrics = metrics
        self._lease_seconds = lease_seconds

    async def _read(self) -> None:
        async with as_platform(Purpose.METRICS), self._database.transaction() as session:
            await session.run_sync(show_workers, self._metrics, self._lease_seconds)
            await session.run_sync(show_waits, self._metrics)
            await session.run_sync(show_speed, self._metrics)
            await session.run_sync(show_webhooks, self._metrics)

    def _forget(self) -> None:
        self._metrics.forget_fleet()


def show_workers(session: Session, metrics: Metrics, lease_seconds: float) -> None:
    """Count workers and slots by queue. A worker of several queues counts for each of them."""
    workers = dict.fromkeys(
        ((queue.value, state) for queue in Queue for state in (LIVE, DRAINING, SILENT)), 0
    )
    slots = dict.fromkeys((queue.value for queue in Queue), 0)
    statement = select(
        WorkerRow.queues,
        WorkerRow.slots,
        WorkerRow.draining,
        (WorkerRow.heartbeat_at > time_after(-lease_seconds)).label("beats"),
    ).where(WorkerRow.left_at.is_(None))
    for row in session.execute(statement):
        state = SILENT if not row.beats else DRAINING if row.draining else LIVE
        for queue in slots.keys() & set(row.queues):
            workers[queue, state] += 1
            slots[queue] += row.slots if state == LIVE else 0
    for (queue, state), count in workers.items():
        metrics.workers.labels(queue, state).set(count)
    for queue, count in slots.items():
        metrics.slots.labels(queue).set(count)


def show_waits(session: Session, metrics: Metrics) -> None:
    """Show how long the first job of each queue has waited."""
    waits = dict.fromkeys((queue.value for queue in Queue), 0.0)
    waited = func.max(func.extract("epoch", database_time() - Job.available_at))
    statement = (
        select(Job.queue, waited)
        .where(
            Job.state == JobState.QUEUED.value, Job.blocked_by.is_(None), Job.available_at <= database_time()
        )
        .group_by(Job.queue)
    )
    waits |= {queue: max(0.0, float(seconds or 0.0)) for queue, seconds in session.execute(statement)}
    for queue, seconds in waits.items():
        metrics.oldest_wait.labels(queue).set(seconds)


def show_speed(session: Session, metrics: Metrics) -> None:
    """Show the speed of the jobs that are being drawn, as their workers have saved it."""
    speeds = dict.fromkeys((queue.value for queue in Queue), 0.0)
    speed = func.sum(Job.tokens_per_second)
    statement = select(Job.queue, speed).where(Job.state.in_(sorted(ACTIVE_STATES))).group_by(Job.queue)
    speeds |= {queue: float(codes or 0.0) for queue, codes in session.execute(statement)}
    for queue, codes in speeds.items():
        metrics.speed.labels(queue).set(codes)


def show_webhooks(session: Session, metrics: Metrics) -> None:
    """Show how many webhooks are due, and since when the first of them is."""
    waited = func.max(func.extract("epoch", database_time() - Delivery.next_try_at))
    statement = select(func.count(), waited).where(
        Delivery.state == DeliveryState.PENDING.value, Delivery.next_try_at <= database_time()
    )
    count, seconds = session.execute(statement).one()
    metrics.due_webhooks.set(count)
    metrics.oldest_webhook.set(max(0.0, float(seconds or 0.0)))
