"""Jobs for the benchmark of event streams: submitted and brought to their end as a worker does it."""

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy import select

from shared.database import Database
from shared.events import EventPublisher
from shared.job_store import (
    Answer,
    NewJob,
    Progress,
    UsageAmounts,
    claim_next_job,
    save_progress,
    submit_job,
    succeed_job,
)
from shared.jobs import JobChange, JobEvent, Phase, Queue
from shared.tables import JobEventRow

LEASE_SECONDS = 600.0
TASK = "text_to_image"
NOTHING = Answer((), UsageAmounts(images=0, prompt_tokens=0, tokens_done=0, compute_seconds=0.0))
STEPS = 3
"""Saves of progress between the start and the end of a job."""


class BenchmarkJobs:
    """Jobs of one project, and a worker that draws nothing."""

    def __init__(self, database: Database, publisher: EventPublisher, project_id: UUID) -> None:
        self._database = database
        self._publisher = publisher
        self._project_id = project_id

    def submit(self, count: int) -> list[UUID]:
        """Queue so many jobs, each in its own transaction."""
        new = NewJob(self._project_id, Queue.GENERATE, TASK, {"prompt": "a"}, max_failures=3)
        ids: list[UUID] = []
        for _ in range(count):
            with self._database.transaction() as session:
                ids.append(submit_job(session, new).id)
        return ids

    def run_all(self, count: int, pause_seconds: float, on_job: Callable[[int], object]) -> None:
        """Run so many waiting jobs, one after another. on_job: called before each with its number."""
        for number in range(count):
            on_job(number)
            with self._database.transaction() as session:
                claimed = claim_next_job(session, tuple(Queue), "benchmark", LEASE_SECONDS)
            if claimed is None:
                raise RuntimeError("no job waits")
            job_id = claimed.lease.job_id
            self._announce(job_id, JobEvent.STARTED)
            for step in range(STEPS):
                time.sleep(pause_seconds)
                with self._database.transaction() as session:
                    save_progress(session, claimed.lease, Progress(Phase.GENERATING, step, STEPS))
                self._publisher.publish(job_id, {"type": "progress"})
            time.sleep(pause_seconds)
            with self._database.transaction() as session:
                succeed_job(session, claimed.lease, NOTHING)
            self._announce(job_id, JobEvent.SUCCEEDED)

    def sequences(self, job_ids: Sequence[UUID]) -> dict[UUID, list[int]]:
        """The numbers of the events of each job that the database has."""
        found: dict[UUID, list[int]] = {job_id: [] for job_id in job_ids}
        statement = select(JobEventRow.job_id, JobEventRow.sequence).where(JobEventRow.job_id.in_(job_ids))
        with self._database.transaction() as session:
            for job_id, sequence in session.execute(statement.order_by(JobEventRow.sequence)):
                found[job_id].append(sequence)
        return found

    def _announce(self, job_id: UUID, event: JobEvent) -> None:
        self._publisher.announce([JobChange(job_id, self._project_id, event, TASK)])
