"""What a Celery process runs beside Celery: the GPU worker, the io worker, or both, by its queues."""

import logging
import os
import time
from collections.abc import Sequence
from threading import Thread
from typing import TYPE_CHECKING, Any

from celery import bootsteps
from celery.signals import worker_shutting_down

from services.worker.hearing import Hearing
from services.worker.io_worker import IoWorker
from services.worker.own_doorbell import OwnDoorbell
from services.worker.settings import GpuWorkerSettings, redis_url
from services.worker.tasks import bell, ear
from services.worker.thread_deaths import leave_when_a_thread_dies
from shared.database import Database
from shared.events import EventPublisher
from shared.jobs import Queue
from shared.settings import Settings, load_settings
from shared.storage import ObjectStorage

if TYPE_CHECKING:
    from services.worker.drain import Drain
    from services.worker.gpu_worker import GpuWorker

logger = logging.getLogger(__name__)

IO_QUEUE = "io"
FAREWELL_SECONDS = 3.0
"""How long Celery may take leave of its broker when the worker has left: nothing is lost without it."""


class PlatformStep(bootsteps.StartStopStep):
    """Started before Celery connects to its broker, so that jobs flow while the broker is away."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._gpu_worker: GpuWorker | None = None
        self._io_worker: IoWorker | None = None

    def start(self, parent: Any) -> None:
        """Load what the queues of `--queues` need. Raises SystemExit where the model is not usable."""
        leave_when_a_thread_dies()
        names = set(parent.app.amqp.queues.consume_from)
        settings = load_settings()
        if IO_QUEUE in names:
            self._io_worker = IoWorker(
                parent.app,
                Database(settings.database),
                ObjectStorage(settings.storage),
                EventPublisher(redis_url(settings)),
                settings.jobs,
            )
            self._io_worker.start()
        if queues := [queue for queue in Queue if queue.value in names]:
            own = GpuWorkerSettings()
            self._gpu_worker = load_gpu_worker(settings, own, queues)
            worker_shutting_down.connect(self._drain)
            self._gpu_worker.start()
            Thread(target=end_after, args=(self._gpu_worker.drain,), name="end", daemon=True).start()
            OwnDoorbell(parent.app, self._gpu_worker.id, own.own_doorbell_seconds, ear).start()

    def stop(self, parent: Any) -> None:
        """Wait for the drain, which the signal has begun."""
        del parent
        if self._gpu_worker is not None:
            self._gpu_worker.drain.request()
            self._gpu_worker.drain.wait()
        if self._io_worker is not None:
            self._io_worker.stop()

    def _drain(self, **_: Any) -> None:
        """Begin at once: Celery's own shutdown may wait for its broker."""
        if self._gpu_worker is not None:
            self._gpu_worker.drain.request()


def end_after(drain: "Drain") -> None:
    """End the process soon after a drain, although Celery may wait for a broker that does not answer."""
    drain.wait_however_long()
    time.sleep(FAREWELL_SECONDS)
    logger.warning("ended without taking leave of the broker")
    os._exit(0)


class ListeningStep(bootsteps.StartStopStep):
    """Tells the ear when Celery begins to listen, and when it notices that it does not any more."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        """Celery has a connection and its queues."""
        del parent
        ear.learn(Hearing.connected)

    def stop(self, parent: Any) -> None:
        """Celery connects again, or ends."""
        del parent
        ear.learn(Hearing.disconnected)


def load_gpu_worker(settings: Settings, own: GpuWorkerSettings, queues: Sequence[Queue]) -> "GpuWorker":
    """The GPU worker with its model. Raises SystemExit, after one line in the log, for an unusable model."""
    # torch is not for the io worker
    from services.worker.engine.errors import EngineError
    from services.worker.gpu_worker import GpuWorker

    try:
        return GpuWorker(settings, own, queues, bell)
    except EngineError as error:
        logger.critical("cannot use the model %s: %s", own.model, error)
        raise SystemExit(1) from error
