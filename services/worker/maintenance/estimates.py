"""The io worker's round of estimates: read the line, forecast it, write when jobs are expected to be done."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select

from services.worker.maintenance.forecast import LiveWorker, OpenJob, forecast
from shared.database import Database
from shared.job_store.clock import database_time
from shared.job_store.estimates import (
    Forecast,
    JobInLine,
    Quantiles,
    learned_quantiles,
    live_workers,
    open_jobs,
    seconds_per_token,
    special_shares,
    write_estimates,
)
from shared.job_store.searches import SearchName, end_step, take_step
from shared.jobs import JobState
from shared.sizes import CELL_PIXELS, PixelSize
from shared.tables import WorkerRow

STEP_SECONDS = 30.0
PAUSE_SECONDS = 2.0
LEARN_SECONDS = 5.0
"""How often speeds and errors are learned from ended jobs."""
USUAL_SIZE = PixelSize(512, 512)
USUAL_TOKENS_PER_SECOND = 50.0
LEAST_SECONDS = 0.5
"""Shortest forecast: below it, polls and commits take most of the time."""


class Estimates:
    """Writes the estimates of all open jobs, if no other io worker does."""

    def __init__(self, database: Database, lease_seconds: float) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self._learn_at = float("-inf")
        self._paces: Mapping[tuple[str, str], float] = {}
        self._quantiles: Mapping[JobState, Quantiles] = {}

    def update(self) -> None:
        """One round, if it is due. Raises database errors."""
        with self._database.transaction() as session:
            step = take_step(session, SearchName.ESTIMATES, STEP_SECONDS)
        if step is None:
            return
        with self._database.transaction() as session:
            jobs, now = open_jobs(session), session.scalars(select(database_time())).one()
            rows = live_workers(session, self._lease_seconds) if jobs else []
            shares = special_shares(session) if rows else {}
            if rows and time.monotonic() >= self._learn_at:
                self._paces, self._quantiles = seconds_per_token(session), learned_quantiles(session)
                self._learn_at = time.monotonic() + LEARN_SECONDS
        if rows:
            workers, quantiles = workers_of(rows, self._paces), self._quantiles
            sizes = {row.model.get("name"): row.model.get("default_size") for row in rows}
            line = [open_job(row, sizes, now) for row in jobs]
            done = forecast(workers, line, shares)
            states = {row.job.id: JobState(row.job.state) for row in jobs}
            forecasts = [
                Forecast(job_id, states[job_id], max(LEAST_SECONDS, seconds))
                for job_id, seconds in done.items()
                if states[job_id] in quantiles
            ]
            with self._database.transaction() as session:
                write_estimates(session, forecasts, quantiles)
        with self._database.transaction() as session:
            end_step(session, step, "", PAUSE_SECONDS)


def workers_of(rows: Sequence[WorkerRow], paces: Mapping[tuple[str, str], float]) -> list[LiveWorker]:
    """The workers with their speeds: of the last jobs with their identity, or as measured at their start."""
    return [
        LiveWorker(
            row.id,
            frozenset(row.queues),
            row.slots,
            row.model.get("name"),
            unmeasured_pace(row),
            {task: pace for (numerics, task), pace in paces.items() if numerics == row.numerics},
        )
        for row in rows
    ]


def unmeasured_pace(row: WorkerRow) -> float:
    """Seconds for a code in a slot while no job has ended yet: from the speed of one picture drawn alone.

    Busy slots share the worker, which draws many pictures about twice as fast as one.
    """
    alone = row.model.get("tokens_per_second") or USUAL_TOKENS_PER_SECOND
    return max(1.0, row.slots / 2) / alone


def open_job(waiting: JobInLine, sizes: Mapping[str | None, str | None], now: datetime) -> OpenJob:
    """A job of the line. sizes: the usual size of each model, which a request without a size gets."""
    job = waiting.job
    usual = sizes.get(job.model) or next(iter(sizes.values()), None)
    left = job.tokens_total - job.tokens_done
    if not job.tokens_total:
        left = cells(waiting.size or usual) * max(job.candidates, waiting.best_of)
    is_running = job.state != JobState.QUEUED
    seconds = job.eta_seconds if is_running and job.progress_at is not None else None
    if seconds is not None and job.progress_at is not None:
        seconds = max(0.0, seconds - (now - job.progress_at).total_seconds())
    return OpenJob(
        job.id,
        job.project_id,
        job.queue,
        job.task,
        job.priority,
        job.model,
        left,
        worker=job.lease_owner,
        seconds_left=seconds,
        blocked_by=job.blocked_by,
    )


def cells(size: str | None) -> int:
    """Cells of a picture of this size, each of which is a code."""
    pixels = PixelSize.read(size or "") or USUAL_SIZE
    return (pixels.width // CELL_PIXELS) * (pixels.height // CELL_PIXELS)
