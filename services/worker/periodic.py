"""A thread that runs an action at regular intervals."""

import time
from collections.abc import Callable
from threading import Event, Thread
from typing import TYPE_CHECKING

from services.worker.metrics import FAILED_ROUNDS, ROUNDS
from services.worker.outages import outage_of
from services.worker.patience import DATABASE_FAULTS
from shared.error_words import words_of
from shared.storage import StorageError

if TYPE_CHECKING:
    from shared.outages import Outage


class Periodic:
    """Runs `action` every `seconds`. A fault of the database or the storage costs one round, no more."""

    def __init__(self, name: str, seconds: float, action: Callable[[], object]) -> None:
        self._name = name
        self._seconds = seconds
        self._action = action
        self._stopping = Event()
        self._thread = Thread(target=self._serve, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; the first round begins at once."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the current round and end the thread."""
        self._stopping.set()
        self._thread.join()

    def _serve(self) -> None:
        failing: Outage | None = None
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                self._action()
            except (*DATABASE_FAULTS, StorageError) as error:
                FAILED_ROUNDS.labels(self._name).inc()
                failing = outage_of(error)
                failing.failed(words_of(error), started)
            else:
                ROUNDS.labels(self._name).observe(time.monotonic() - started)
                if failing is not None:
                    failing.answered()
                failing = None
            self._stopping.wait(max(0.0, started + self._seconds - time.monotonic()))
