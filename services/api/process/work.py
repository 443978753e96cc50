"""The work of each queue, read from the database when metrics are asked for.

Autoscalers start and stop workers by these figures, so they come from the gateway: a queue without any worker
still has them. While the database does not answer there are none, so the number of workers stays as it is; a
zero would stop all of them.
"""

import time
from collections.abc import Callable, Iterable

from sqlalchemy import select

from services.api.http.metrics import Metrics
from services.api.process.acting import Purpose, as_platform
from services.api.process.database_figures import DatabaseFigures
from shared.async_database import AsyncDatabase
from shared.jobs import Queue
from shared.tables import QUEUE_WORK

ANY_MODEL, OTHER_MODELS = "any", "other"
MOST_MODELS = 50
"""Clients name models freely while no worker runs, so only those with the most work get a label."""

Row = tuple[str, str | None, int, int]
"""Queue, requested model, waiting and running jobs."""


class WorkMetrics(DatabaseFigures):
    """Keeps the gauge `luminary_queue_jobs` up to date."""

    def __init__(
        self, database: AsyncDatabase, metrics: Metrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(database, clock)
        self._gauge = metrics.work

    async def _read(self) -> None:
        columns = QUEUE_WORK.c
        statement = select(columns.queue, columns.model, columns.waiting, columns.running).order_by(
            columns.work.desc()
        )
        async with as_platform(Purpose.METRICS), self._database.transaction() as session:
            rows = await session.execute(statement)
        self._show([(queue, model, waiting, running) for queue, model, waiting, running in rows])

    def _forget(self) -> None:
        self._gauge.clear()

    def _show(self, rows: Iterable[Row]) -> None:
        self._gauge.clear()
        for (queue, model), (waiting, running) in by_label(rows).items():
            self._gauge.labels(queue, model, "waiting").set(waiting)
            self._gauge.labels(queue, model, "running").set(running)


def by_label(rows: Iterable[Row]) -> dict[tuple[str, str], tuple[int, int]]:
    """Waiting and running jobs by queue and label of the model; every queue has at least a zero.

    rows: most work first.
    """
    figures = {(queue.value, ANY_MODEL): (0, 0) for queue in Queue}
    named: set[str] = set()
    for queue, model, waiting, running in rows:
        if model is not None and len(named) < MOST_MODELS:
            named.add(model)
        label = ANY_MODEL if model is None else model if model in named else OTHER_MODELS
        before = figures.get((queue, label), (0, 0))
        figures[queue, label] = (before[0] + waiting, before[1] + running)
    return figures
