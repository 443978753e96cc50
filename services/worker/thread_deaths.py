"""A thread that dies of an unforeseen error takes its process with it.

A worker without its heart or a slot would live on, look healthy and lose job after job.
"""

import logging
import os
import signal
import threading

logger = logging.getLogger(__name__)


def leave_when_a_thread_dies() -> None:
    """From now on, drain and end this process when one of its threads ends by an exception."""
    threading.excepthook = leave


def leave(death: threading.ExceptHookArgs) -> None:
    """A `threading.excepthook`."""
    if death.exc_type is SystemExit or death.exc_value is None:
        return
    logger.critical(
        "a thread has died; leaving so that a fresh process takes over",
        exc_info=death.exc_value,
        extra={"died": death.thread.name if death.thread else None},
    )
    os.kill(os.getpid(), signal.SIGTERM)
