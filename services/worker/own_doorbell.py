"""A worker's doorbell to itself, through the broker and back: it shows whether the others are heard.

A connection whose other end is gone without a word can leave a worker deaf for ever, and healthy to look at.
"""

import logging
import os
import signal
from collections.abc import Callable
from threading import Lock

from celery import Celery
from kombu.entity import Exchange, Queue

from services.worker.doorbells import send_bells
from services.worker.hearing import ROUNDS_UNTIL_DEAF, Hearing
from services.worker.periodic import Periodic

logger = logging.getLogger(__name__)

OWN_DOORBELL_TASK = "worker.own_doorbell"
UNUSED_SECONDS = 600
"""The broker forgets the queue of a worker that is gone, however it went, after so long."""


class Ear:
    """The process's hearing; Celery's threads and the worker's tell it what happens."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._hearing = Hearing()

    def learn(self, event: Callable[[Hearing], Hearing]) -> Hearing:
        """What is known after an event, such as `Hearing.heard`."""
        with self._lock:
            self._hearing = event(self._hearing)
            return self._hearing


class OwnDoorbell:
    """Rings at this worker every so many seconds; when it hears none, the process drains itself and ends."""

    def __init__(self, app: Celery, worker_id: str, seconds: float, ear: Ear) -> None:
        self._app = app
        self._queue = own_queue(worker_id)
        self._ear = ear
        # a late bell is heard too, and shows more than none
        self._expires_seconds = ROUNDS_UNTIL_DEAF * seconds
        self._rounds = Periodic("own doorbell", seconds, self._ring)

    def start(self) -> None:
        """Listen to the queue beside the shared ones, and ring until the process ends.

        Call it before Celery connects.
        """
        self._app.amqp.queues.select_add(self._queue)
        self._rounds.start()

    def _ring(self) -> None:
        hearing = self._ear.learn(Hearing.round_begun)
        if hearing.is_deaf:
            # said once: from here on nobody listens
            self._ear.learn(Hearing.disconnected)
            leave()
        elif hearing.listening:
            self._ear.learn(Hearing.sending)
            if not send_bells(self._app, OWN_DOORBELL_TASK, self._queue, self._expires_seconds):
                self._ear.learn(Hearing.not_sent)


def own_queue(worker_id: str) -> Queue:
    """The queue of one worker, by its name alone: an exchange of its own would outlive it in RabbitMQ.

    Durable, since RabbitMQ 4.3 refuses others that are not exclusive to the connection; and the bells come
    over another connection than the worker's ears.
    """
    name = f"worker.{worker_id}"
    return Queue(name, Exchange(""), routing_key=name, durable=True, auto_delete=True, expires=UNUSED_SECONDS)


def leave() -> None:
    """Drain this process and end it."""
    logger.critical("the broker takes doorbells and none arrives; leaving so that a fresh process takes over")
    os.kill(os.getpid(), signal.SIGTERM)
