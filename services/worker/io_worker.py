"""The io worker: what must be done again and again, whoever does it; several may run side by side."""

import logging

from celery import Celery
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from services.worker.doorbells import ring_doorbell
from services.worker.periodic import Periodic
from shared.database import Database
from shared.events import EventPublisher
from shared.ids import IdKind, format_id
from shared.job_store import expire_overdue_jobs, expire_unservable_jobs, reap_expired_leases, waiting_queues
from shared.job_store.clock import database_time, time_after
from shared.settings import JobSettings
from shared.storage import ObjectStorage
from shared.tables import IdempotencyRecord, Image, Job, WorkerRow

logger = logging.getLogger(__name__)

DEADLINE_SECONDS = 1.0
DOORBELL_SECONDS = 5.0
CLEANING_SECONDS = 60.0
LEASES_UNTIL_FORGOTTEN = 10
"""Leases after which the row of a silent worker is removed."""
IMAGE_BATCH = 100


class IoWorker:
    """Reaps, expires, rings and cleans, each in a thread of its own."""

    def __init__(
        self,
        app: Celery,
        database: Database,
        storage: ObjectStorage,
        events: EventPublisher,
        jobs: JobSettings,
    ) -> None:
        self._app = app
        self._database = database
        self._storage = storage
        self._events = events
        self._jobs = jobs
        self._rounds = [
            Periodic("reap", min(DEADLINE_SECONDS, jobs.lease_seconds / 3), self.reap),
            Periodic("expire", DEADLINE_SECONDS, self.expire_jobs),
            Periodic("ring", DOORBELL_SECONDS, self.ring_doorbells),
            Periodic("clean", CLEANING_SECONDS, self.clean),
        ]

    def start(self) -> None:
        """Begin every round."""
        for one in self._rounds:
            one.start()

    def stop(self) -> None:
        """Finish the rounds that run and end."""
        for one in self._rounds:
            one.stop()
        self._events.close()
        self._database.dispose()

    def reap(self) -> None:
        """Take the jobs of silent workers back."""
        with self._database.transaction() as session:
            reaped = reap_expired_leases(session, self._jobs.max_interruptions)
        for job in reaped:
            logger.warning(
                "worker lost", extra={"job_id": format_id(IdKind.JOB, job.id), "attempt": job.attempt}
            )
        self._tell(reaped)

    def expire_jobs(self) -> None:
        """End jobs past their deadlines, and those whose model nobody has."""
        with self._database.transaction() as session:
            expired = expire_overdue_jobs(session)
            expired += expire_unservable_jobs(session, self._jobs.model_wait_seconds)
        self._tell(expired)

    def ring_doorbells(self) -> None:
        """Ring again for jobs whose doorbell may have been lost, where a worker lives that can hear it.

        Otherwise messages would pile up in the broker as long as there is no worker.
        """
        with self._database.transaction() as session:
            waiting = waiting_queues(session)
            heard = queues_with_workers(session, self._jobs.lease_seconds)
        for queue, count in waiting.items():
            if queue in heard:
                ring_doorbell(self._app, queue, count)

    def clean(self) -> None:
        """Remove what has expired: pictures, idempotency records, rows of workers that are gone."""
        with self._database.transaction() as session:
            stale = time_after(-LEASES_UNTIL_FORGOTTEN * self._jobs.lease_seconds)
            session.execute(delete(WorkerRow).where(WorkerRow.heartbeat_at < stale))
            session.execute(delete(IdempotencyRecord).where(IdempotencyRecord.expires_at <= database_time()))
        while self._remove_expired_images() == IMAGE_BATCH:
            pass

    def _remove_expired_images(self) -> int:
        """Delete the bytes of some expired pictures; the rows stay, so that sessions keep their shape.

        No lock is needed: an object is this row's alone, and whoever stores the same bytes now has another.
        """
        with self._database.transaction() as session:
            expired = session.scalars(
                select(Image)
                .where(Image.expires_at <= database_time(), Image.deleted_at.is_(None))
                .limit(IMAGE_BATCH)
                .with_for_update(skip_locked=True)
            ).all()
            for image in expired:
                # pictures of earlier versions may share an object; none is added to those any more
                if not is_shared(session, image):
                    self._storage.delete(image.storage_key)
                image.deleted_at = func.clock_timestamp()
                session.flush()
        return len(expired)

    def _tell(self, jobs: list[Job]) -> None:
        for job in jobs:
            self._events.publish(job.id, {"type": job.state})


def queues_with_workers(session: Session, lease_seconds: float) -> frozenset[str]:
    """Queues that a worker serves whose heart still beats."""
    alive = select(func.unnest(WorkerRow.queues)).where(WorkerRow.heartbeat_at > time_after(-lease_seconds))
    return frozenset(session.scalars(alive))


def is_shared(session: Session, image: Image) -> bool:
    """Whether another picture that is still there has the same object."""
    others = select(Image.id).where(
        Image.project_id == image.project_id,
        Image.storage_key == image.storage_key,
        Image.id != image.id,
        Image.deleted_at.is_(None),
    )
    return session.scalars(others.limit(1)).first() is not None
