"""Wait out the transient faults of the tokenizer service, the object storage and the database."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_before_delay, wait_random_exponential

from services.worker.tokenizer_client import TokenizerUnavailableError
from shared.error_words import words_of
from shared.storage import ObjectMissingError, StorageError

logger = logging.getLogger(__name__)

Value = TypeVar("Value")

FIRST_SECONDS = 0.2
"""Upper limit of the first pause; it doubles with each further pause."""
LONGEST_SECONDS = 10.0

DATABASE_FAULTS = (OperationalError, InterfaceError, InternalError, PoolTimeoutError)
"""The server does not answer, restarts, or has ended the statement; it has ended the transaction of a process
that was frozen (an InternalError); or it is so slow that no connection of the pool is free."""
TRANSIENT = (TokenizerUnavailableError, StorageError, *DATABASE_FAULTS)


class Patience:
    """Repeats an operation that failed with a transient fault, with exponential backoff and full jitter.

    Source of the jitter: Brooker, "Exponential backoff and jitter", AWS Architecture Blog, 2015.
    """

    def __init__(self, wait: Callable[[float], None], seconds: float) -> None:
        """wait: sleeps for the given seconds, or raises to give up. seconds: limit for one operation."""
        self._retrying = Retrying(
            sleep=wait,
            stop=stop_before_delay(seconds),
            wait=wait_random_exponential(multiplier=FIRST_SECONDS, max=LONGEST_SECONDS),
            retry=retry_if_exception(passes_by_itself),
            before_sleep=log_first_failure,
            reraise=True,
        )

    def insist(self, operation: Callable[[], Value]) -> Value:
        """Run the operation until it succeeds. Raises its last error after the limit, any other at once."""
        began = time.monotonic()
        retrying = self._retrying.copy()  # a copy counts the tries of this operation alone
        value = retrying(operation)
        if failed_tries := retrying.statistics["attempt_number"] - 1:
            waited = round(time.monotonic() - began, 1)
            logger.warning(
                "succeeded after failed tries", extra={"waited_seconds": waited, "failed_tries": failed_tries}
            )
        return value


def passes_by_itself(error: BaseException) -> bool:
    """Whether another try may succeed. A missing object stays missing."""
    return isinstance(error, TRANSIENT) and not isinstance(error, ObjectMissingError)


def log_first_failure(state: RetryCallState) -> None:
    """Log one line for each operation that waits, so that a job's log shows the reason."""
    error = state.outcome.exception() if state.outcome else None
    if state.attempt_number == 1 and error is not None:
        logger.warning("a server does not answer; trying again", extra={"reason": words_of(error)})
