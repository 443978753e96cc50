"""The doorbell: a Celery message without content that wakes the workers of a queue.

Published from a thread after the commit. It may be lost, late or doubled: a worker that hears nothing looks
by itself. So an error is counted and never reaches the client.
"""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from celery import Celery
from kombu.exceptions import OperationalError

from services.api.metrics import Metrics
from shared.jobs import Queue

logger = logging.getLogger(__name__)

SOCKET_SECONDS = 2.0
"""Without it, publishing to a broker that vanished without a word blocks for ever."""
EXPIRES_SECONDS = 30
"""A doorbell that nobody heard for so long is noise: idle workers have looked since."""
MOST_WAITING = 200
"""Doorbells that may wait for a slow broker; more would only wake the same workers."""


def doorbell_task(queue: Queue) -> str:
    """The name under which the worker registers the queue's doorbell."""
    return f"{queue.value}.doorbell"


class Doorbell:
    """The gateway's end of the broker."""

    def __init__(self, broker_url: str, metrics: Metrics) -> None:
        self._metrics = metrics
        self._celery = Celery("luminary-gateway", broker=broker_url, set_as_current=False)
        self._celery.conf.update(
            broker_connection_timeout=SOCKET_SECONDS,
            broker_transport_options=transport_options(broker_url),
            task_publish_retry=False,
            task_ignore_result=True,
        )
        # the one thread's that publishes; connects with the first doorbell
        self._connection = self._celery.connection_for_write()
        self._errors = (
            OperationalError,
            OSError,
            *self._connection.connection_errors,
            *self._connection.channel_errors,
        )
        self._room = threading.BoundedSemaphore(MOST_WAITING)
        self._closing = threading.Event()
        self._executor = ThreadPoolExecutor(1, "doorbell")

    def ring(self, queue: Queue) -> None:
        """Wake the workers of the queue, soon; returns at once and never fails."""
        if not self._room.acquire(blocking=False):
            self._metrics.doorbells.labels(queue.value, "dropped").inc()
            return
        self._executor.submit(self._publish, queue)

    def _publish(self, queue: Queue) -> None:
        try:
            self._celery.send_task(
                doorbell_task(queue),
                queue=queue.value,
                connection=self._connection,
                expires=EXPIRES_SECONDS,
                # RabbitMQ drops what expired by itself
                expiration=EXPIRES_SECONDS,
                ignore_result=True,
                retry=False,
            )
        except self._errors as error:
            # it may be half-open, and no library notices: the next doorbell connects anew
            self._connection.collect()
            self._metrics.doorbells.labels(queue.value, "failed").inc()
            logger.warning("doorbell not rung", extra={"queue": queue.value, "reason": str(error)})
            if self._closing.is_set():
                self._executor.shutdown(wait=False, cancel_futures=True)
        else:
            self._metrics.doorbells.labels(queue.value, "rung").inc()
        finally:
            self._room.release()

    def is_reachable(self) -> bool:
        """Whether the broker answers; blocks for a few seconds at most."""
        try:
            with self._celery.connection_for_write() as connection:
                connection.ensure_connection(max_retries=0, timeout=SOCKET_SECONDS)
        except self._errors:
            return False
        return True

    def close(self) -> None:
        """Ring what waits, unless the broker is away; then close the connections."""
        self._closing.set()
        self._executor.shutdown()
        self._connection.release()
        self._celery.close()


def transport_options(broker_url: str) -> dict[str, float]:
    """Limits on waiting, for the transports that know them; `retry=False` alone leaves kombu reconnecting.

    RabbitMQ has to confirm each doorbell: one that is frozen or full would seem to take it.
    """
    once = {"max_retries": 0}
    if broker_url.startswith(("redis://", "rediss://")):
        return {**once, "socket_timeout": SOCKET_SECONDS, "socket_connect_timeout": SOCKET_SECONDS}
    return {
        **once,
        "connect_timeout": SOCKET_SECONDS,
        "read_timeout": SOCKET_SECONDS,
        "write_timeout": SOCKET_SECONDS,
        "confirm_publish": True,
    }
