"""Doorbells: the bell that idle slots wait for, and the Celery messages that ring it."""

import time
from threading import Condition

from celery import Celery
from kombu.entity import Queue as KombuQueue
from kombu.exceptions import OperationalError

from services.worker.outages import BROKER
from shared.doorbells import EXPIRES_SECONDS, doorbell_task
from shared.error_words import words_of
from shared.jobs import Queue

MESSAGES_FOR_ALL = 8
"""Limit of messages in one round. A slot that finds a job wakes the next slot, so few are enough."""


class Bell:
    """Wakes one idle slot per ring. Rings while no slot waits are kept as one ring for the next slot."""

    def __init__(self) -> None:
        self._condition = Condition()
        self._rung = False

    def ring(self) -> None:
        """Wake one slot. Returns at once."""
        with self._condition:
            self._rung = True
            self._condition.notify()

    def wait(self, seconds: float) -> bool:
        """Wait for a ring and use it up. Returns False if none came in time."""
        with self._condition:
            heard = self._condition.wait_for(lambda: self._rung, seconds)
            self._rung = False
            return heard


def ring_doorbell(app: Celery, queue: Queue, waiting: int) -> bool:
    """Send doorbells for waiting jobs. waiting: number of jobs. Returns whether the broker accepted them.

    A broker that does not answer is no error, because idle slots also look for jobs without a doorbell.
    """
    count = min(waiting, MESSAGES_FOR_ALL)
    return send_bells(app, doorbell_task(queue), queue.value, EXPIRES_SECONDS, count)


def send_bells(
    app: Celery, task: str, queue: str | KombuQueue, expires_seconds: float, count: int = 1
) -> bool:
    """Send messages without content. Returns whether the broker accepted them within a few seconds.

    Each call opens a connection of its own: one that was kept open since the last call could be half-open.
    """
    started = time.monotonic()
    with app.connection_for_write(transport_options={"max_retries": 0}) as connection:
        errors = (OperationalError, OSError, *connection.connection_errors, *connection.channel_errors)
        try:
            for _ in range(count):
                app.send_task(
                    task,
                    queue=queue,
                    connection=connection,
                    expires=expires_seconds,
                    # lets RabbitMQ drop expired messages by itself
                    expiration=expires_seconds,
                    ignore_result=True,
                    retry=False,
                )
        except errors as error:
            # close without a farewell to a broker that does not answer
            connection.collect()
            name = queue if isinstance(queue, str) else queue.name
            BROKER.failed(f"{name}: {words_of(error)}", started)
            return False
    BROKER.answered()
    return True
