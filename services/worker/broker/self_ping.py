"""Test doorbells: a worker sends messages to itself through the broker, to see whether messages arrive.

A half-open connection delivers nothing, and without this test the worker would look healthy for ever.
"""

import logging
import os
import signal
from collections.abc import Callable
from threading import Lock

from celery import Celery
from kombu.entity import Exchange, Queue

from services.worker.broker.doorbells import send_bells
from services.worker.broker.liveness import ROUNDS_UNTIL_DEAF, Hearing
from services.worker.periodic import Periodic

logger = logging.getLogger(__name__)

OWN_DOORBELL_TASK = "worker.own_doorbell"
UNUSED_SECONDS = 600
"""The broker deletes the queue of a worker that is gone after this time."""


class Ear:
    """The `Hearing` of this process, shared by the threads of Celery and of the worker."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._hearing = Hearing()

    def learn(self, event: Callable[[Hearing], Hearing]) -> Hearing:
        """Apply an event such as `Hearing.heard` and return the new state."""
        with self._lock:
            self._hearing = event(self._hearing)
            return self._hearing


class OwnDoorbell:
    """Sends a test doorbell every `seconds`; when several do not arrive, the process drains and exits."""

    def __init__(self, app: Celery, worker_id: str, seconds: float, ear: Ear) -> None:
        self._app = app
        self._queue = own_queue(worker_id)
        self._ear = ear
        # kept longer than one round, because a late doorbell still shows that messages arrive
        self._expires_seconds = ROUNDS_UNTIL_DEAF * seconds
        self._rounds = Periodic("own doorbell", seconds, self._ring)

    def start(self) -> None:
        """Consume the worker's own queue beside the shared ones, and send doorbells until the process ends.

        Must be called before Celery connects.
        """
        self._app.amqp.queues.select_add(self._queue)
        self._rounds.start()

    def _ring(self) -> None:
        hearing = self._ear.learn(Hearing.round_begun)
        if hearing.is_deaf:
            # drain once only: from now on Celery counts as disconnected
            self._ear.learn(Hearing.disconnected)
            leave()
        elif hearing.listening:
            self._ear.learn(Hearing.sending)
            if not send_bells(self._app, OWN_DOORBELL_TASK, self._queue, self._expires_seconds):
                self._ear.learn(Hearing.not_sent)


def own_queue(worker_id: str) -> Queue:
    """The queue of one worker. It uses the default exchange: RabbitMQ would keep an exchange of its own.

    It is durable, because RabbitMQ 4.3 refuses a queue that is neither durable nor exclusive to a connection,
    and sending and receiving use different connections.
    """
    name = f"worker.{worker_id}"
    return Queue(name, Exchange(""), routing_key=name, durable=True, auto_delete=True, expires=UNUSED_SECONDS)


def leave() -> None:
    """Drain this process and exit."""
    logger.critical(
        "the broker accepts messages but does not deliver them here; this worker drains and exits"
    )
    os.kill(os.getpid(), signal.SIGTERM)
