"""The GPU worker: creates the model and the threads around it, and starts and stops them in order."""

import logging
import os
import secrets
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

from services.worker.broker.doorbells import Bell
from services.worker.claiming.attempts import Attempt, Attempts
from services.worker.claiming.cancel_watch import LOOK_SECONDS, CancelWatch
from services.worker.claiming.drain import Drain
from services.worker.claiming.errands import Errands
from services.worker.claiming.heartbeat import Heartbeat
from services.worker.claiming.leases import Leases, WorkerCard
from services.worker.claiming.slots import Slots
from services.worker.health import Health
from services.worker.job.fenced_writes import DatabaseWrites
from services.worker.job.input_images import PictureSource
from services.worker.job.late_pictures import LatePictures
from services.worker.job.partial_pictures import PartialPictures
from services.worker.job.prepare import Preparation
from services.worker.job.results import ResultStore
from services.worker.job.run import JobRun, RunnerTools
from services.worker.job.undecoded_pictures import DatabasePictures
from services.worker.metrics import CHECKPOINT_AGE, HEARTBEAT_AGE, QUEUE_WAIT, SLOTS
from services.worker.model.card import read_known_words
from services.worker.model.engine_host import EngineHost, warm_up
from services.worker.model.gauges import show_engine
from services.worker.model.identity import describe_model, identify
from services.worker.model.loading import load_engine
from services.worker.model.picture_sizes import read_trained_sizes
from services.worker.model.whole_identity import WholeIdentity
from services.worker.patience import DATABASE_FAULTS
from services.worker.periodic import Periodic
from services.worker.settings import GpuWorkerProcessSettings
from services.worker.tokenizer_client import TokenizerClient
from shared.database import Database
from shared.error_words import words_of
from shared.events import EventPublisher
from shared.ids import IdKind, format_id
from shared.job_store import ClaimedJob, claim_next_job
from shared.jobs import JobChange, JobEvent, Queue
from shared.partial_pictures import PartialChannel
from shared.storage import ObjectStorage
from shared.telemetry import log_context
from shared.tracing.contexts import inside_job

logger = logging.getLogger(__name__)

LEFT_BEHIND_SECONDS = 0.5
"""Time in which calls of canceled jobs may still return after a drain."""
LONGEST_TICK_SECONDS = 1.0
"""Progress and codes are saved at least this often, even if JOB_CHECKPOINT_SECONDS is longer."""


class GpuWorker:
    """One process, one model, several slots."""

    def __init__(
        self, settings: GpuWorkerProcessSettings, queues: Sequence[Queue], bell: Bell, health: Health
    ) -> None:
        """Load the model and warm it up. Raises EngineError if the folder or the precision cannot be used.

        health: gets the rounds of the heartbeat.
        """
        self._health = health
        own = settings.worker
        folder = Path(own.model)
        loaded = load_engine(folder, own, settings.noise.parsed())
        engine_identity, sizes = identify(folder, loaded.loaded), read_trained_sizes(folder)
        self._model = engine_identity.name
        knows = read_known_words(folder)
        self._described = describe_model(engine_identity, loaded.loaded, sizes, knows, warm_up(loaded))
        self._queues = tuple(queues)
        self._lease_seconds = settings.jobs.lease_seconds
        self._numerics_wait_seconds = settings.jobs.model_wait_seconds
        self.id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._database = Database(settings.database)
        self._tokenizer = TokenizerClient(settings.tokenizer, own.tokenizer_timeout_seconds)
        self._identity = WholeIdentity(engine_identity, self._tokenizer)
        storage = ObjectStorage(settings.storage)
        self._host = EngineHost(loaded)
        show_engine(loaded, self._described)
        self._events = EventPublisher(settings.redis_url)
        results = ResultStore(
            self._tokenizer,
            storage,
            lambda: self._identity.known,
            fingerprints=settings.provenance.fingerprints,
        )
        self._late_pictures = LatePictures(
            DatabasePictures(self._database), results.finish, self._events.publish, self._lease_seconds
        )
        self._channel = PartialChannel(settings.redis_url)
        self._partials = PartialPictures(self._tokenizer.preview, self._channel)
        preparation = Preparation(
            loaded.loaded, self._identity, PictureSource(self._database, storage, self._tokenizer), sizes
        )
        self._tools = RunnerTools(
            writes=DatabaseWrites(self._database),
            publish=self._events.publish,
            host=self._host,
            prepare=preparation.prepare,
            results=results,
            errands=Errands(),
            on_undecoded=self._late_pictures.wake,
            numerics=lambda: self._identity.id,
            model=engine_identity.name,
            tick_seconds=min(LONGEST_TICK_SECONDS, settings.jobs.checkpoint_seconds),
            patience_seconds=own.patience_seconds,
            shown=self._partials.shown,
        )
        self._attempts = Attempts()
        SLOTS.labels("all").set(own.slots)
        SLOTS.labels("used").set_function(lambda: len(self._attempts.running()))
        CHECKPOINT_AGE.set_function(self._attempts.longest_unsaved)
        card = WorkerCard(self.id, self._queues, own.slots, self._describe)
        self._leases = Leases(self._database, card, self._lease_seconds)
        self._heartbeat = Heartbeat(self._attempts, self._leases.extend, lambda: self._identity.id)
        self._heart = Periodic("heartbeat", settings.jobs.heartbeat_seconds, self._beat)
        self._cancel_watch = Periodic(
            "cancel watch", LOOK_SECONDS, CancelWatch(self._attempts, self._leases.canceling).look
        )
        self._closing = closing = Event()
        self._slots = Slots(
            own.slots,
            claim=self._claim,
            run=self._run,
            bell=bell,
            closing=closing,
            poll_seconds=settings.jobs.poll_seconds,
        )
        self.drain = Drain(
            attempts=self._attempts,
            slots=self._slots,
            closing=closing,
            release=self._leases.release,
            seconds=own.drain_seconds,
            begin=self._heartbeat.begin_draining,
            finish=self._finish,
        )

    @property
    def is_idle(self) -> bool:
        """Whether no slot has a job."""
        return not self._attempts.running()

    def is_ready(self) -> bool:
        """Whether the worker claims jobs: its row shows its identity, and it does not drain."""
        return not self._closing.is_set() and self._heartbeat.has_told(self._identity.id)

    def start(self) -> None:
        """Start all threads; from now on the worker claims jobs."""
        self._host.start()
        self._heart.start()
        self._cancel_watch.start()
        self._late_pictures.start()
        self._partials.start()
        self.drain.start()
        self._slots.start()
        logger.info("worker ready", extra={"worker": self.id, "queues": ",".join(self._queues)})

    def _describe(self) -> dict[str, Any]:
        """The model's description for the models resource, with the numerics identity once it is known."""
        known = self._identity.known
        parts = {} if known is None else {"numerics": {"id": known.numerics.id, **known.numerics.as_dict()}}
        return {**self._described, **parts}

    def _claim(self, just_served: UUID | None, in_a_row: int) -> ClaimedJob | None:
        """Claim a job; None until the workers' table shows this worker's numerics identity."""
        if not self._heartbeat.has_told(self._identity.id) and not self._introduce():
            return None
        with self._database.transaction() as session:
            claimed = claim_next_job(
                session,
                self._queues,
                self.id,
                self._lease_seconds,
                just_served,
                in_a_row=in_a_row,
                model=self._model,
                numerics=self._identity.id,
                numerics_wait_seconds=self._numerics_wait_seconds,
            )
        if claimed is not None:
            QUEUE_WAIT.labels(claimed.queue.value).observe(claimed.waited_seconds)
            change = JobChange(claimed.lease.job_id, claimed.project_id, JobEvent.STARTED, claimed.task)
            self._events.announce([change])
        return claimed

    def _introduce(self) -> bool:
        """Write the identity into the workers' table, so that other workers leave jobs with it to this one.

        Returns False while the tokenizer service, which completes the identity, does not answer.
        """
        if self._identity.ask() is None:
            return False
        self._heartbeat.beat()
        return True

    def _run(self, claimed: ClaimedJob) -> None:
        attempt = Attempt(claimed)
        self._attempts.add(attempt)
        try:
            with (
                inside_job(claimed.lease.job_id, claimed.traceparent, claimed.lease.attempt),
                log_context(
                    job_id=format_id(IdKind.JOB, claimed.lease.job_id),
                    project_id=format_id(IdKind.PROJECT, claimed.project_id),
                    attempt=claimed.lease.attempt,
                ),
                JobRun(self._tools, attempt) as job,
            ):
                job.run()
        finally:
            self._attempts.remove(attempt)

    def _beat(self) -> None:
        self._health.beat()
        self._heartbeat.beat()
        beat_at = time.monotonic()
        HEARTBEAT_AGE.set_function(lambda: time.monotonic() - beat_at)
        self._late_pictures.keep()
        if not self._host.is_alive:
            logger.critical("the engine thread has died; this worker drains and exits")
            os.kill(os.getpid(), signal.SIGTERM)

    def _finish(self) -> None:
        """Stop the other threads after the slots have ended."""
        self._partials.stop()
        self._late_pictures.stop()
        self._tools.errands.join(LEFT_BEHIND_SECONDS)
        self._heart.stop()
        self._cancel_watch.stop()
        self._host.stop()
        try:
            self._leases.leave()
        except DATABASE_FAULTS as error:
            logger.warning(
                "cannot record in the database that this worker has left", extra={"reason": words_of(error)}
            )
        self._events.close()
        self._channel.close()
        self._tokenizer.close()
        self._database.dispose()
