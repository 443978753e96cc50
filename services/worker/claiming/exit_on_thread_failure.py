"""Exit the process when one of its threads dies of an unexpected error.

Without its heartbeat or a slot, a worker would look healthy and lose job after job.
"""

import logging
import os
import signal
import threading

logger = logging.getLogger(__name__)


def leave_when_a_thread_dies() -> None:
    """From now on, drain and exit when a thread of this process ends with an exception."""
    threading.excepthook = leave


def leave(death: threading.ExceptHookArgs) -> None:
    """Log the exception and drain; installed as `threading.excepthook`."""
    if death.exc_type is SystemExit or death.exc_value is None:
        return
    logger.critical(
        "a thread has died; this worker drains and exits",
        exc_info=death.exc_value,
        extra={"died": death.thread.name if death.thread else None},
    )
    os.kill(os.getpid(), signal.SIGTERM)
