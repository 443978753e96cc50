"""Start and stop the GPU worker, the io worker or both in a Celery process, as its queues demand."""

import logging
import os
import time
from collections.abc import Container, Sequence
from threading import Thread
from typing import TYPE_CHECKING, Any

from celery import Celery, bootsteps
from celery.signals import worker_shutting_down

from services.worker.broker.liveness import Hearing
from services.worker.broker.self_ping import OwnDoorbell
from services.worker.broker.tasks import bell, ear
from services.worker.claiming.exit_on_thread_failure import leave_when_a_thread_dies
from services.worker.health import Health, serve_health
from services.worker.maintenance.io_worker import IoWorker
from services.worker.maintenance.webhook_delivery.thread import WebhookThread
from services.worker.settings import (
    GpuWorkerProcessSettings,
    GpuWorkerSettings,
    IoWorkerProcessSettings,
    WorkerProcessSettings,
)
from services.worker.tokenizer_client import TokenizerClient
from shared.database import Database
from shared.events import EventPublisher
from shared.jobs import Queue
from shared.misspelt_variables import warn_of_misspelt_variables
from shared.settings import Process, PublicAddress, SettingsError, TokenizerAddress, load_settings
from shared.storage import ObjectStorage
from shared.tracing.setup import configure_tracing_or_exit, flush_tracing

if TYPE_CHECKING:
    from services.worker.claiming.drain import Drain
    from services.worker.gpu_worker import GpuWorker

logger = logging.getLogger(__name__)

IO_QUEUE = "io"
RESTORE_SECONDS = 600.0
"""Limit of the tokenizer service's work on a picture that an io worker restores, for 512x512 pixels."""
FAREWELL_SECONDS = 3.0
"""Time in which Celery may close its broker connection after the drain. Nothing is lost if it does not."""


class PlatformStep(bootsteps.StartStopStep):
    """Runs the workers. It starts before Celery connects, so that jobs are drawn without a broker, too."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._gpu_worker: GpuWorker | None = None
        self._io_worker: IoWorker | None = None
        self._webhooks: WebhookThread | None = None

    def start(self, parent: Any) -> None:
        """Start the workers for the queues of `--queues`. Raises SystemExit if the model cannot be used."""
        leave_when_a_thread_dies()
        configure_tracing_or_exit(name_of_service(parent.app.amqp.queues.consume_from))
        names = set(parent.app.amqp.queues.consume_from)
        queues = [queue for queue in Queue if queue.value in names]
        processes = [GpuWorkerProcessSettings] if queues else []
        warn_of_misspelt_worker_variables(
            *processes, *([IoWorkerProcessSettings] if IO_QUEUE in names else [])
        )
        health = serve_health(settings_or_exit(WorkerProcessSettings).health)
        if IO_QUEUE in names:
            settings = settings_or_exit(IoWorkerProcessSettings)
            self._io_worker, self._webhooks = make_io_worker(parent.app, settings)
            self._io_worker.start()
            self._webhooks.start()
        if queues:
            settings = settings_or_exit(GpuWorkerProcessSettings)
            self._gpu_worker = load_gpu_worker(settings, queues, health)
            worker_shutting_down.connect(self._drain)
            self._gpu_worker.start()
            health.started(self._gpu_worker.is_ready)
            Thread(target=end_after, args=(self._gpu_worker.drain,), name="end", daemon=True).start()
            OwnDoorbell(parent.app, self._gpu_worker.id, settings.worker.own_doorbell_seconds, ear).start()
        else:
            health.started(lambda: True)

    def stop(self, parent: Any) -> None:
        """Wait for the drain, which the signal handler has requested."""
        del parent
        if self._gpu_worker is not None:
            self._gpu_worker.drain.request()
            self._gpu_worker.drain.wait()
        if self._webhooks is not None:
            self._webhooks.stop()
        if self._io_worker is not None:
            self._io_worker.stop()
        flush_tracing()

    def _drain(self, **_: Any) -> None:
        """Request the drain at the signal: Celery calls `stop` later, and may wait for its broker first."""
        if self._gpu_worker is not None:
            self._gpu_worker.drain.request()


def name_of_service(queues: Container[str]) -> str:
    """The name of this process's service in traces."""
    return "worker" if any(queue.value in queues for queue in Queue) else "io-worker"


def settings_or_exit(process: type[Process]) -> Process:
    """Settings from the environment. Raises SystemExit with one line for each wrong variable."""
    try:
        return load_settings(process)
    except SettingsError as error:
        raise SystemExit(f"worker: {error}") from error


def warn_of_misspelt_worker_variables(*processes: type[WorkerProcessSettings]) -> None:
    """Log one line for each; the worker knows too few of TOKENIZER_* and GATEWAY_* to check them.

    An io worker knows all of WORKER_*, because both kinds may get the same variables.
    """
    parts = {part for process in processes for part in process.parts().values()}
    warn_of_misspelt_variables(parts - {TokenizerAddress, PublicAddress} | {GpuWorkerSettings})


def make_io_worker(app: Celery, settings: IoWorkerProcessSettings) -> tuple[IoWorker, WebhookThread]:
    """Create the two parts of an io worker, which share the database's connections."""
    database = Database(settings.database)
    io_worker = IoWorker(
        app,
        database,
        ObjectStorage(settings.storage),
        EventPublisher(settings.redis_url),
        settings.jobs,
        retention=settings.retention,
        tokenizer=TokenizerClient(settings.tokenizer, RESTORE_SECONDS),
    )
    return io_worker, WebhookThread(database, settings.webhooks, settings.address.public_url)


def end_after(drain: "Drain") -> None:
    """End the process soon after the drain, even if Celery still waits for a broker that does not answer."""
    drain.wait_however_long()
    time.sleep(FAREWELL_SECONDS)
    flush_tracing()
    logger.warning("exiting without closing the broker connection: the broker does not answer")
    os._exit(0)


class ListeningStep(bootsteps.StartStopStep):
    """Records when Celery begins to consume from the broker, and when it notices a lost connection."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        """Called when Celery has a connection and consumes from its queues."""
        del parent
        ear.learn(Hearing.connected)

    def stop(self, parent: Any) -> None:
        """Called when Celery has lost the connection, or ends."""
        del parent
        ear.learn(Hearing.disconnected)


def load_gpu_worker(
    settings: GpuWorkerProcessSettings, queues: Sequence[Queue], health: Health
) -> "GpuWorker":
    """Create the GPU worker. Raises SystemExit, after one line in the log, if its model cannot be used."""
    # imported here because the io worker runs without torch
    from services.worker.engine.errors import EngineError
    from services.worker.gpu_worker import GpuWorker

    try:
        return GpuWorker(settings, queues, bell, health)
    except EngineError as error:
        logger.critical("cannot use the model %s: %s", settings.worker.model, error)
        raise SystemExit(1) from error
