"""Names and expiry of doorbells, on which gateway and worker must agree.

The Celery queue has the name of the `shared.jobs.Queue`.
"""

from shared.jobs import Queue

EXPIRES_SECONDS = 30
"""Time after which a doorbell is dropped; idle workers have polled the database by then."""


def doorbell_task(queue: Queue) -> str:
    """Name of the Celery task that wakes the queue's workers; the gateway sends it."""
    return f"{queue.value}.doorbell"
