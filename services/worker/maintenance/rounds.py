"""Periodic work on the database, the queues and the storage: what each round does, without its thread."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from services.worker.maintenance.rows import MaintenanceRows
from services.worker.metrics import EXPIRED_LEASES
from shared.events import Publish
from shared.ids import IdKind, format_id
from shared.job_store.removal import Removal
from shared.jobs import Queue
from shared.png_text import leading_text
from shared.settings import JobSettings
from shared.storage import ObjectMissingError
from shared.tables import Job
from shared.tracing.contexts import inside_job

logger = logging.getLogger(__name__)

LEASES_UNTIL_FORGOTTEN = 10
"""Lease times after which the row of a silent worker is removed, unless jobs may wait for its identity."""
TEXT_BYTES = 64 * 1024
"""The beginning of a picture that contains its recipe."""
IMAGE_BATCH = 20
"""Expired pictures that are claimed at once; several io workers share them in such batches."""


class PictureBucket(Protocol):
    """The part of the object storage that removes pictures; see `ObjectStorage`."""

    def delete(self, key: str) -> None: ...

    def get_start(self, key: str, size: int) -> bytes: ...


class Rounds:
    """Each method is one round. Several processes may run them at once."""

    def __init__(
        self,
        rows: MaintenanceRows,
        storage: PictureBucket,
        publish: Publish,
        ring: Callable[[Queue, int], object],
        jobs: JobSettings,
    ) -> None:
        """ring: sends doorbells for so many jobs that wait in a queue."""
        self._rows = rows
        self._storage = storage
        self._publish = publish
        self._ring = ring
        self._jobs = jobs

    def reap(self) -> None:
        """Take back the jobs of workers that send no heartbeat, and record that these workers are gone."""
        reaped = self._rows.reap(self._jobs.max_interruptions)
        EXPIRED_LEASES.inc(len(reaped))
        for job in reaped:
            with inside_job(job.id, job.traceparent):
                logger.warning("a worker was lost; its job is taken back", extra=named(job))
        self._tell(reaped)
        self._rows.retire_silent_workers(self._jobs.lease_seconds)

    def expire_jobs(self) -> None:
        """End jobs past their deadline, and jobs whose model or numerics identity no worker has."""
        self._tell(self._rows.expire_jobs(self._jobs.model_wait_seconds))

    def ring_doorbells(self) -> None:
        """Send doorbells for waiting jobs, in case earlier ones were lost.

        Queues without a live worker get none, because the messages would pile up in the broker.
        """
        waiting = self._rows.waiting_jobs()
        served = self._rows.served_queues(self._jobs.lease_seconds)
        for queue, count in waiting.items():
            if queue in served:
                self._ring(queue, count)

    def clean(self) -> None:
        """Remove expired pictures and idempotency records, old worker rows, and checkpoints of ended jobs.

        The objects of a picture are deleted first, between two transactions, then its row is marked. If this
        process dies in between, the next one to claim the picture deletes and marks again.
        """
        leases = LEASES_UNTIL_FORGOTTEN * self._jobs.lease_seconds
        self._rows.remove_old_rows(max(leases, self._jobs.model_wait_seconds))
        while removals := self._rows.claim_expired(IMAGE_BATCH):
            for removal in removals:
                self._keep_text(removal)
                for key in removal.keys:
                    self._storage.delete(key)
                self._rows.mark_removed(removal)

    def _keep_text(self, removal: Removal) -> None:
        """Keep what a restore needs besides the codes: the recipe in the file, which goes with it."""
        if removal.is_drawn:
            try:
                self._rows.keep_text(
                    removal, leading_text(self._storage.get_start(removal.storage_key, TEXT_BYTES))
                )
            except ObjectMissingError:
                return  # another process has deleted it, and has kept its text

    def _tell(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._publish(job.id, {"type": job.state})


def named(job: Job) -> dict[str, str | int]:
    """Fields of log lines about a job."""
    return {
        "job_id": format_id(IdKind.JOB, job.id),
        "project_id": format_id(IdKind.PROJECT, job.project_id),
        "attempt": job.attempt,
    }
