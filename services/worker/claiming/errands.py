"""Blocking calls that an attempt abandons when its job is canceled.

A call to the tokenizer service or the object storage may take minutes. It runs in a thread of its own, while
the attempt's thread waits for the result or for the request to stop, whichever comes first.
"""

import time
from collections.abc import Callable
from contextvars import copy_context
from threading import BoundedSemaphore, Event, Thread
from typing import Generic, TypeVar
from weakref import WeakSet

from services.worker.claiming.attempts import Attempt

Value = TypeVar("Value")

MOST_AT_A_TIME = 64
"""Limit of calls that run at the same time, abandoned ones included; further calls wait."""
LOOK_SECONDS = 0.2


class Errands:
    """Runs the calls of all attempts of a worker."""

    def __init__(self, most: int = MOST_AT_A_TIME) -> None:
        self._free = BoundedSemaphore(most)
        self._threads: WeakSet[Thread] = WeakSet()

    def run(self, attempt: Attempt, call: Callable[[], Value]) -> Value:
        """Return the call's value, or raise its error.

        Raises AttemptStoppedError as soon as the job is canceled or its lease lost: the call continues and
        its result is dropped. A drain waits for the call, so that its result can be used.
        """
        while not self._free.acquire(blocking=False):
            attempt.wait(LOOK_SECONDS)
        errand = Errand(call, attempt.wake, self._free.release)
        context = copy_context()
        thread = Thread(target=context.run, args=(errand.run,), name="errand", daemon=True)
        self._threads.add(thread)
        thread.start()
        attempt.wait_for(errand.done)
        return errand.value()

    def join(self, seconds: float) -> None:
        """Wait for abandoned calls, at most `seconds` in all."""
        deadline = time.monotonic() + seconds
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))


class Errand(Generic[Value]):
    """One call and its result."""

    def __init__(self, call: Callable[[], Value], *on_end: Callable[[], None]) -> None:
        self.done = Event()
        self._call = call
        self._on_end = on_end
        self._values: list[Value] = []
        self._error: Exception | None = None

    def run(self) -> None:
        """Make the call, then set `done` and call every `on_end`."""
        try:
            self._values.append(self._call())
        except Exception as error:  # noqa: BLE001  (raised again in the thread that waits)
            self._error = error
        finally:
            self.done.set()
            for notify in self._on_end:
                notify()

    def value(self) -> Value:
        """The value that the call returned. Raises the error that it raised."""
        if self._error is not None:
            raise self._error
        return self._values[0]
