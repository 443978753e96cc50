"""Log an outage of a server with two lines, at its begin and end, however often calls are retried.

Services retry without end; a line for each try would fill the disk and hide other messages.
"""

import logging
import time
from threading import Lock


class Outage:
    """The outage state of one server, as this process sees it. Safe to use from several threads."""

    def __init__(self, logger: logging.Logger, name: str) -> None:
        """name: the server as log lines name it, for example `the database`."""
        self._logger = logger
        self._name = name
        self._lock = Lock()
        self._began: float | None = None
        self._ended = 0.0
        self._tries = 0

    def failed(self, reason: str, started: float) -> None:
        """Note a failed call; the first one of an outage is logged.

        started: `time.monotonic()` before the call. Calls that were started before the end of the last outage
        are ignored: they may have waited for long and say nothing about the present.
        """
        now = time.monotonic()
        with self._lock:
            if started < self._ended:
                return
            self._tries += 1
            is_first = self._began is None
            if is_first:
                self._began = started
        if is_first:
            self._logger.warning(
                "%s does not answer; retrying until it does",
                self._name,
                extra={"reason": reason, "after_seconds": round(now - started, 1)},
            )

    def answered(self) -> None:
        """Note a successful call; the end of an outage is logged."""
        now = time.monotonic()
        with self._lock:
            if self._began is None:
                return
            lasted, tries = now - self._began, self._tries
            self._began, self._tries, self._ended = None, 0, now
        self._logger.warning(
            "%s answers again",
            self._name,
            extra={"outage_seconds": round(lasted, 1), "failed_tries": tries},
        )
