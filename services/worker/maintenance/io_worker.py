"""The io worker: runs each round in its own thread and owns the connections. Several may run at once."""

from functools import partial

from celery import Celery

from services.worker.broker.doorbells import ring_doorbell
from services.worker.maintenance.estimates import Estimates
from services.worker.maintenance.restores import Restores
from services.worker.maintenance.rounds import Rounds
from services.worker.maintenance.rows import DatabaseRows
from services.worker.maintenance.searches import Searches
from services.worker.periodic import Periodic
from services.worker.tokenizer_client import TokenizerClient
from shared.database import Database
from shared.events import EventPublisher
from shared.settings import JobSettings, RetentionSettings
from shared.storage import ObjectStorage

DEADLINE_SECONDS = 1.0
DOORBELL_SECONDS = 5.0
SEARCH_SECONDS = 5.0
RESTORE_SECONDS = 1.0


class IoWorker:
    """Reaps, expires, rings and cleans."""

    def __init__(
        self,
        app: Celery,
        database: Database,
        storage: ObjectStorage,
        events: EventPublisher,
        jobs: JobSettings,
        *,
        retention: RetentionSettings | None = None,
        tokenizer: TokenizerClient | None = None,
    ) -> None:
        """retention: None for the defaults. tokenizer: None to restore no pictures."""
        retention = retention or RetentionSettings()
        self._database = database
        self._events = events
        self.rounds = Rounds(
            DatabaseRows(database, retention), storage, events.publish, partial(ring_doorbell, app), jobs
        )
        self.searches = Searches(database, storage, retention)
        self._threads = [
            Periodic("reap", min(DEADLINE_SECONDS, jobs.lease_seconds / 3), self.rounds.reap),
            Periodic("expire", DEADLINE_SECONDS, self.rounds.expire_jobs),
            Periodic("ring", DOORBELL_SECONDS, self.rounds.ring_doorbells),
            Periodic("clean", retention.pause_seconds, self.rounds.clean),
            Periodic("estimate", DEADLINE_SECONDS, Estimates(database, jobs.lease_seconds).update),
            Periodic("search", SEARCH_SECONDS, self.searches.do_all),
        ]

        self._tokenizer = tokenizer
        self._restores: Restores | None = None
        if tokenizer is not None:
            self._restores = Restores(database, storage, tokenizer, retention)
            self._threads.append(Periodic("restore", RESTORE_SECONDS, self._restores.do_all))

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Wait for the current rounds and stop."""
        if self._restores is not None:
            self._restores.stop()
        for thread in self._threads:
            thread.stop()
        if self._tokenizer is not None:
            self._tokenizer.close()
        self._events.close()
        self._database.dispose()
