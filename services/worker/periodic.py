"""A thread that does one thing again and again."""

import logging
import time
from collections.abc import Callable
from threading import Event, Thread

from services.worker.patience import DATABASE_FAULTS
from shared.storage import StorageError

logger = logging.getLogger(__name__)


class Periodic:
    """Runs an action every so many seconds; a database or a storage that is away costs one round."""

    def __init__(self, name: str, seconds: float, action: Callable[[], object]) -> None:
        self._name = name
        self._seconds = seconds
        self._action = action
        self._stopping = Event()
        self._thread = Thread(target=self._serve, name=name, daemon=True)

    def start(self) -> None:
        """Begin with a first round at once."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the round and end."""
        self._stopping.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                self._action()
            except (*DATABASE_FAULTS, StorageError) as error:
                logger.warning("round left out", extra={"round": self._name, "reason": str(error)})
            self._stopping.wait(max(0.0, started + self._seconds - time.monotonic()))
