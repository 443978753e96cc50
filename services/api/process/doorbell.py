"""The doorbell: a Celery message without content that wakes the workers of a queue.

Only its headers name the trace of the job, for the spans of both ends.

A thread publishes it after the commit of a job. It may be lost, late or duplicated, because workers also poll
the database; so errors are counted and never reach the client.
"""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

from celery import Celery
from kombu.exceptions import OperationalError
from opentelemetry.trace import SpanKind

from services.api.http.metrics import Metrics
from shared.doorbells import EXPIRES_SECONDS, doorbell_task
from shared.error_words import words_of
from shared.jobs import Queue
from shared.outages import Outage
from shared.settings import BrokerSettings, secret_list
from shared.tracing import names
from shared.tracing.contexts import TRACEPARENT, JobTrace
from shared.tracing.spans import leaf

logger = logging.getLogger(__name__)

SOCKET_SECONDS = 2.0
"""Timeout of the sockets; without it, publishing to a broker whose machine has vanished blocks for ever."""
MOST_WAITING = 200
"""Doorbells that may wait for a slow broker; further ones would only wake the same workers."""


class Doorbell:
    """Publishes doorbells to the broker from a thread."""

    def __init__(self, broker_url: str, metrics: Metrics, name: str = "the broker") -> None:
        """name: of the broker, in log lines."""
        self._metrics = metrics
        self._outage = Outage(logger, name)
        self._celery = Celery("luminary-gateway", broker=broker_url, set_as_current=False)
        self._celery.conf.update(
            broker_connection_timeout=SOCKET_SECONDS,
            broker_transport_options=transport_options(broker_url),
            task_publish_retry=False,
            task_ignore_result=True,
        )
        # only the publishing thread uses it; it connects with the first doorbell
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

    def ring(self, queue: Queue, trace: JobTrace | None = None) -> None:
        """Wake the workers of the queue soon. Returns at once and never raises.

        trace: of the job that waits.
        """
        if not self._room.acquire(blocking=False):
            self._metrics.doorbells.labels(queue.value, "dropped").inc()
            return
        self._executor.submit(self._publish, queue, trace)

    def _publish(self, queue: Queue, trace: JobTrace | None) -> None:
        started = time.monotonic()
        try:
            with doorbell_span(queue, trace):
                self._celery.send_task(
                    doorbell_task(queue),
                    queue=queue.value,
                    connection=self._connection,
                    expires=EXPIRES_SECONDS,
                    # RabbitMQ itself drops expired messages
                    expiration=EXPIRES_SECONDS,
                    ignore_result=True,
                    retry=False,
                    headers={} if trace is None else {TRACEPARENT: trace.traceparent()},
                )
        except self._errors as error:
            # the connection may be half-open, which kombu does not notice: connect again for the next one
            self._connection.collect()
            self._metrics.doorbells.labels(queue.value, "failed").inc()
            self._outage.failed(words_of(error), started)
            if self._closing.is_set():
                self._executor.shutdown(wait=False, cancel_futures=True)
        else:
            self._metrics.doorbells.labels(queue.value, "rung").inc()
            self._outage.answered()
        finally:
            self._room.release()

    def is_reachable(self) -> bool:
        """Whether the broker answers; blocks for up to a few seconds."""
        try:
            with self._celery.connection_for_write() as connection:
                connection.ensure_connection(max_retries=0, timeout=SOCKET_SECONDS)
        except self._errors:
            return False
        return True

    def close(self) -> None:
        """Publish the waiting doorbells, unless the broker is unreachable; then close the connections."""
        self._closing.set()
        self._executor.shutdown()
        self._connection.release()
        self._celery.close()


class Doorbells:
    """The doorbells of all brokers, each with a thread of its own, so that a dead broker delays no other."""

    def __init__(self, settings: BrokerSettings, metrics: Metrics) -> None:
        first = Doorbell(settings.broker_url.get_secret_value(), metrics)
        more = (
            Doorbell(url, metrics, f"number {number} of MORE_BROKER_URLS")
            for number, url in enumerate(secret_list(settings.more_broker_urls), 1)
        )
        self._doorbells = [first, *more]

    def ring(self, queue: Queue, trace: JobTrace | None = None) -> None:
        """Wake the workers of the queue soon, at every broker. Returns at once and never raises."""
        for doorbell in self._doorbells:
            doorbell.ring(queue, trace)

    def is_reachable(self) -> bool:
        """Whether the broker of BROKER_URL answers; blocks for up to a few seconds."""
        return self._doorbells[0].is_reachable()

    def close(self) -> None:
        """Publish the waiting doorbells, except at brokers that do not answer; then close the connections."""
        for doorbell in self._doorbells:
            doorbell.close()


def doorbell_span(queue: Queue, trace: JobTrace | None) -> AbstractContextManager[object]:
    """A span around the sending of a doorbell for a traced job."""
    if trace is None:
        return nullcontext()
    attributes = {
        names.MESSAGING_SYSTEM: names.CELERY,
        names.MESSAGING_OPERATION: "send",
        names.MESSAGING_DESTINATION: queue.value,
    }
    span_name = names.SEND_DOORBELL.format(queue=queue.value)
    return leaf(span_name, attributes, SpanKind.PRODUCER, trace.inside())


def transport_options(broker_url: str) -> dict[str, float]:
    """Timeouts of the broker's transport; with `retry=False` alone, kombu would still reconnect.

    RabbitMQ has to confirm each doorbell: without that, a frozen or full server would seem to accept it.
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
