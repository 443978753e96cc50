"""Periodic checks in a thread of their own, so that a check that hangs does not block the supervisor."""

import threading
import time
from collections.abc import Callable


class Pulse:
    """Runs a check periodically and measures for how long it has failed."""

    def __init__(self, name: str, check: Callable[[], bool], seconds: float) -> None:
        """check: returns whether the process answers; while it blocks, the process counts as not answering.

        seconds: the pause between two checks.
        """
        self._check = check
        self._seconds = seconds
        self._lock = threading.Lock()
        self._unanswered_since: float | None = None
        self._answers = 0
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name=f"pulse-{name}", daemon=True)
        self._thread.start()

    @property
    def has_answered(self) -> bool:
        """Whether any check has succeeded so far."""
        return self._answers > 0

    def silent_seconds(self) -> float:
        """Seconds since the start of the first check that did not succeed; 0 after a success."""
        with self._lock:
            since = self._unanswered_since
        return 0.0 if since is None else time.monotonic() - since

    def forgive(self) -> None:
        """Restart the count of silent seconds, after time that the process is not responsible for."""
        with self._lock:
            if self._unanswered_since is not None:
                self._unanswered_since = time.monotonic()

    def close(self) -> None:
        """Stop checking. Returns at once, even if a check still blocks."""
        self._closed = True
        self._wake.set()

    def _serve(self) -> None:
        while not self._closed:
            with self._lock:
                if self._unanswered_since is None:
                    self._unanswered_since = time.monotonic()
            if self._check():
                with self._lock:
                    self._unanswered_since = None
                    self._answers += 1
            self._wake.wait(self._seconds)
