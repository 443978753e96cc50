"""The GPU worker: a model, the threads around it, and their order of starting and leaving."""

import logging
import os
import secrets
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from uuid import UUID

from services.worker.attempts import Attempt, Attempts
from services.worker.cancel_watch import LOOK_SECONDS, CancelWatch
from services.worker.doorbells import Bell
from services.worker.drain import Drain
from services.worker.engine.auto_precision import choose_device, choose_precision
from services.worker.engine.config import ModelConfig
from services.worker.engine.engine import Engine, EngineOptions
from services.worker.engine.loading import load_model
from services.worker.engine_host import EngineHost
from services.worker.heartbeat import Heartbeat, WorkerCard
from services.worker.job_runner import JobRun, RunnerTools
from services.worker.model_identity import describe_model, identify
from services.worker.patience import DATABASE_FAULTS
from services.worker.periodic import Periodic
from services.worker.preparation import Preparation
from services.worker.results import ResultStore
from services.worker.settings import GpuWorkerSettings, redis_url
from services.worker.slots import Slots
from services.worker.token_cache import PictureSource
from services.worker.tokenizer_client import TokenizerClient
from shared.database import Database
from shared.events import EventPublisher
from shared.ids import IdKind, format_id
from shared.job_store import ClaimedJob, claim_next_job
from shared.jobs import Queue
from shared.settings import Settings
from shared.storage import ObjectStorage
from shared.telemetry import log_context

logger = logging.getLogger(__name__)

LONGEST_TICK_SECONDS = 1.0
"""Progress and codes are saved this often, however rarely checkpoints may be saved."""


class GpuWorker:
    """One process, one model, several slots."""

    def __init__(
        self, settings: Settings, own: GpuWorkerSettings, queues: Sequence[Queue], bell: Bell
    ) -> None:
        """Load the model. Raises EngineError when the folder or the precision is not usable."""
        folder = Path(own.model)
        loaded = load_engine(folder, own)
        identity = identify(folder, loaded.loaded)
        self._model = identity.name
        self._queues = tuple(queues)
        self._lease_seconds = settings.jobs.lease_seconds
        self.id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._database = Database(settings.database)
        self._tokenizer = TokenizerClient(settings.tokenizer, own.tokenizer_timeout_seconds)
        storage = ObjectStorage(settings.storage)
        self._host = EngineHost(loaded)
        self._tools = RunnerTools(
            database=self._database,
            events=EventPublisher(redis_url(settings)),
            host=self._host,
            preparation=Preparation(
                loaded.loaded, identity.key, PictureSource(self._database, storage, self._tokenizer)
            ),
            results=ResultStore(self._tokenizer, storage, identity.as_text()),
            tick_seconds=min(LONGEST_TICK_SECONDS, settings.jobs.checkpoint_seconds),
            patience_seconds=own.patience_seconds,
        )
        self._attempts = Attempts()
        card = WorkerCard(self.id, self._queues, own.slots, describe_model(identity, loaded.loaded))
        self._heartbeat = Heartbeat(self._database, self._attempts, card, self._lease_seconds)
        self._heart = Periodic("heartbeat", settings.jobs.heartbeat_seconds, self._beat)
        self._cancel_watch = Periodic(
            "cancel watch", LOOK_SECONDS, CancelWatch(self._database, self._attempts).look
        )
        closing = Event()
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
            database=self._database,
            seconds=own.drain_seconds,
            begin=self._heartbeat.begin_draining,
            finish=self._finish,
        )

    @property
    def is_idle(self) -> bool:
        """Whether no slot has a job."""
        return not self._attempts.running()

    def start(self) -> None:
        """Warm the model up, then claim."""
        self._host.start()
        self._heart.start()
        self._cancel_watch.start()
        self.drain.start()
        self._slots.start()
        logger.info("worker ready", extra={"worker": self.id, "queues": ",".join(self._queues)})

    def _claim(self, just_served: UUID | None) -> ClaimedJob | None:
        with self._database.transaction() as session:
            return claim_next_job(
                session, self._queues, self.id, self._lease_seconds, just_served, model=self._model
            )

    def _run(self, claimed: ClaimedJob) -> None:
        attempt = Attempt(claimed)
        self._attempts.add(attempt)
        try:
            with (
                log_context(
                    job_id=format_id(IdKind.JOB, claimed.lease.job_id), attempt=claimed.lease.attempt
                ),
                JobRun(self._tools, attempt) as job,
            ):
                job.run()
        finally:
            self._attempts.remove(attempt)

    def _beat(self) -> None:
        self._heartbeat.beat()
        if not self._host.is_alive:
            logger.critical("the engine's thread has died; leaving so that a fresh process takes over")
            os.kill(os.getpid(), signal.SIGTERM)

    def _finish(self) -> None:
        """End what the slots needed."""
        self._heart.stop()
        self._cancel_watch.stop()
        self._host.stop()
        try:
            self._heartbeat.leave()
        except DATABASE_FAULTS as error:
            logger.warning("the worker's row stays until it is stale", extra={"reason": str(error)})
        self._tools.events.close()
        self._tokenizer.close()
        self._database.dispose()


def load_engine(folder: Path, own: GpuWorkerSettings) -> Engine:
    """The engine over the model of a folder. Raises EngineError."""
    device = choose_device(own.device)
    precision = choose_precision(ModelConfig.from_folder(folder), own.dtype, own.quantization, device)
    loaded = load_model(folder, precision, device)
    return Engine(loaded, EngineOptions(kv_cache_tokens=own.kv_cache_tokens, max_sequences=own.max_sequences))
