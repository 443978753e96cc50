"""Both ends of the doorbell: a bell that idle slots listen to, and the Celery message that rings it."""

import logging
from threading import Condition

from celery import Celery
from kombu.entity import Queue as KombuQueue
from kombu.exceptions import OperationalError

from shared.jobs import Queue

logger = logging.getLogger(__name__)

EXPIRES_SECONDS = 30
"""A doorbell that nobody heard for so long is noise: idle slots have looked since."""
MESSAGES_FOR_ALL = 8
"""One answered doorbell wakes slot after slot, so a long queue needs few messages."""


class Bell:
    """Wakes one idle slot a ring; rings that find nobody waiting become one ring for the next."""

    def __init__(self) -> None:
        self._condition = Condition()
        self._rung = False

    def ring(self) -> None:
        """Wake a slot; returns at once."""
        with self._condition:
            self._rung = True
            self._condition.notify()

    def wait(self, seconds: float) -> bool:
        """Wait for a ring and use it up; False when none came in time."""
        with self._condition:
            heard = self._condition.wait_for(lambda: self._rung, seconds)
            self._rung = False
            return heard


def doorbell_task(queue: Queue) -> str:
    """The name of the queue's task; the gateway sends it by this name."""
    return f"{queue.value}.doorbell"


def ring_doorbell(app: Celery, queue: Queue, waiting: int) -> bool:
    """Send doorbells for so many waiting jobs; whether the broker took them.

    A broker that is away is no error: idle slots look anyway.
    """
    count = min(waiting, MESSAGES_FOR_ALL)
    return send_bells(app, doorbell_task(queue), queue.value, EXPIRES_SECONDS, count)


def send_bells(
    app: Celery, task: str, queue: str | KombuQueue, expires_seconds: float, count: int = 1
) -> bool:
    """Send messages without content; whether the broker took them, which it is given a few seconds for.

    Rounds are seconds apart, so each has a connection of its own: one that was kept could be half-open since.
    """
    with app.connection_for_write(transport_options={"max_retries": 0}) as connection:
        errors = (OperationalError, OSError, *connection.connection_errors, *connection.channel_errors)
        try:
            for _ in range(count):
                app.send_task(
                    task,
                    queue=queue,
                    connection=connection,
                    expires=expires_seconds,
                    # RabbitMQ drops what expired by itself
                    expiration=expires_seconds,
                    ignore_result=True,
                    retry=False,
                )
        except errors as error:
            # nothing is said to a broker that does not answer
            connection.collect()
            name = queue if isinstance(queue, str) else queue.name
            logger.warning("doorbell not rung", extra={"queue": name, "reason": str(error)})
            return False
    return True
