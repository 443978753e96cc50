"""Change the schema while services work: wait for tables briefly, and begin again when that was in vain.

A statement that waits for a table holds up every later statement on it, and a change that locks several
tables can deadlock with a service. Either way the transaction is rolled back, and tried again.
"""

from collections.abc import Callable

from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

LOCK_SECONDS = 2.0
"""Longest wait for one lock, in which requests and claims wait, too."""
PATIENCE_SECONDS = 120.0
"""Time after which no further try begins."""


def lost_a_lock(error: BaseException) -> bool:
    """Whether other transactions ended this one, so that it may succeed when it is repeated."""
    cause = error.orig if isinstance(error, OperationalError) else error
    return isinstance(cause, LockNotAvailable | DeadlockDetected)


def trying_again() -> Retrying:
    """Tries of a change that may lose a lock; the last one's error is raised."""
    return Retrying(
        retry=retry_if_exception(lost_a_lock),
        stop=stop_after_delay(PATIENCE_SECONDS),
        wait=wait_random(0.5, 2.0),
        reraise=True,
    )


def change_schema(
    engine: Engine, change: Callable[[Connection], object], lock_seconds: float = LOCK_SECONDS
) -> None:
    """Run the change in a transaction of its own, as often as it takes. Raises what the last try raised."""
    for attempt in trying_again():
        with attempt, engine.begin() as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = {int(lock_seconds * 1000)}"))
            change(connection)
