"""Wait out the transient faults of the tokenizer service, the object storage and the database."""

import logging
import time
from collections.abc import Callable, Iterator
from secrets import SystemRandom
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from services.worker.tokenizer_client import TokenizerUnavailableError
from shared.storage import ObjectMissingError, StorageError

logger = logging.getLogger(__name__)

Value = TypeVar("Value")

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 10.0

DATABASE_FAULTS = (OperationalError, InterfaceError, InternalError, PoolTimeoutError)
"""The server is away, restarts, or ended the statement, or the transaction of a process that was frozen in it
(an InternalError); or it is so slow that no connection of the pool is free."""
TRANSIENT = (TokenizerUnavailableError, StorageError, *DATABASE_FAULTS)


def backoff() -> Iterator[float]:
    """Upper bounds of the pauses in seconds: 0.2, 0.4, 0.8 ... 10, 10 ..."""
    seconds = FIRST_SECONDS
    while True:
        yield seconds
        seconds = min(2 * seconds, LONGEST_SECONDS)


class Patience:
    """Repeats what failed for a passing reason, with exponential backoff and full jitter.

    Source of the jitter: Brooker, "Exponential backoff and jitter", AWS Architecture Blog, 2015.
    """

    def __init__(self, wait: Callable[[float], None], seconds: float) -> None:
        """wait: pauses so many seconds, or raises to give up. seconds: of all tries of one operation."""
        self._wait = wait
        self._seconds = seconds
        self._random = SystemRandom()

    def insist(self, operation: Callable[[], Value]) -> Value:
        """The operation's value. Raises its last error when patience ends, and any other error at once."""
        deadline = time.monotonic() + self._seconds
        pauses = backoff()
        while True:
            try:
                return operation()
            except TRANSIENT as error:
                pause = self._random.uniform(0, next(pauses))
                if isinstance(error, ObjectMissingError) or time.monotonic() + pause > deadline:
                    raise
                logger.warning("trying again", extra={"reason": str(error), "pause_seconds": pause})
            self._wait(pause)
