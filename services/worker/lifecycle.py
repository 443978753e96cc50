"""What a Celery process runs beside Celery: the GPU worker, the io worker, or both, by its queues."""

from typing import TYPE_CHECKING, Any

from celery import bootsteps
from celery.signals import worker_shutting_down

from services.worker.io_worker import IoWorker
from services.worker.settings import GpuWorkerSettings, redis_url
from services.worker.tasks import bell
from services.worker.thread_deaths import leave_when_a_thread_dies
from shared.database import Database
from shared.events import EventPublisher
from shared.jobs import Queue
from shared.settings import load_settings
from shared.storage import ObjectStorage

if TYPE_CHECKING:
    from services.worker.gpu_worker import GpuWorker

IO_QUEUE = "io"


class PlatformStep(bootsteps.StartStopStep):
    """Started before Celery connects to its broker, so that jobs flow while the broker is away."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._gpu_worker: GpuWorker | None = None
        self._io_worker: IoWorker | None = None

    def start(self, parent: Any) -> None:
        """Load what the queues of `--queues` need. Raises what settings and model raise."""
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
            from services.worker.gpu_worker import GpuWorker  # torch is not for the io worker

            self._gpu_worker = GpuWorker(settings, GpuWorkerSettings(), queues, bell)
            worker_shutting_down.connect(self._drain)
            self._gpu_worker.start()

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
