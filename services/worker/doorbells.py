"""Both ends of the doorbell: a bell that idle slots listen to, and the Celery message that rings it."""

import logging
from threading import Condition

from celery import Celery
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


def ring_doorbell(app: Celery, queue: Queue, waiting: int) -> None:
    """Send doorbells for so many waiting jobs. A broker that is away is no error: idle slots look anyway."""
    try:
        for _ in range(min(waiting, MESSAGES_FOR_ALL)):
            app.send_task(
                doorbell_task(queue),
                queue=queue.value,
                expires=EXPIRES_SECONDS,
                # RabbitMQ drops what expired by itself
                expiration=EXPIRES_SECONDS,
                retry=False,
            )
    except (OperationalError, OSError) as error:
        logger.warning("doorbell not rung", extra={"queue": queue.value, "reason": str(error)})
