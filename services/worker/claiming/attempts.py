"""The running attempts of this worker, and the requests to stop them."""

import time
from enum import IntEnum
from threading import Event, Lock

from shared.job_store import ClaimedJob, Lease


class StopReason(IntEnum):
    """Why an attempt must stop. A reason with a larger number replaces one with a smaller number."""

    DRAIN = 1
    """The worker drains: save the codes and hand the job back."""
    CANCEL = 2
    """A user cancels the job: keep the drawn codes and end it."""
    LOST = 3
    """The lease is lost: write nothing more."""


class AttemptStoppedError(Exception):
    """The attempt must stop."""

    def __init__(self, reason: StopReason) -> None:
        self.reason = reason
        super().__init__(f"stopped: {reason.name.lower()}")


class Attempt:
    """One attempt at one job. A slot's thread runs it; heartbeat, engine and drain wake that thread."""

    def __init__(self, claimed: ClaimedJob) -> None:
        self.claimed = claimed
        self._changed = Event()
        self._lock = Lock()
        self._reason: StopReason | None = None
        self._saved_at = time.monotonic()

    @property
    def lease(self) -> Lease:
        return self.claimed.lease

    def saved(self) -> None:
        """Note that all codes drawn so far are saved."""
        self._saved_at = time.monotonic()

    @property
    def unsaved_seconds(self) -> float:
        """Time since the last save, or since the claim."""
        return time.monotonic() - self._saved_at

    def wake(self) -> None:
        """Wake the attempt's thread. Any thread may call it."""
        self._changed.set()

    def stop(self, reason: StopReason) -> None:
        """Ask the attempt to stop. Any thread may call it, more than once."""
        with self._lock:
            self._reason = reason if self._reason is None else max(self._reason, reason)
        self._changed.set()

    def check(self) -> None:
        """Raise AttemptStoppedError if the attempt must stop."""
        if self._reason is not None:
            raise AttemptStoppedError(self._reason)

    def wait(self, seconds: float) -> None:
        """Wait until `wake` or `stop` is called, or the time is over. Raises AttemptStoppedError."""
        self._changed.wait(seconds)
        self._changed.clear()
        self.check()

    def wait_for(self, done: Event) -> None:
        """Wait until `done` is set. The thread that sets it must call `wake` afterwards.

        Raises AttemptStoppedError if the job is canceled or its lease lost before, but not for a drain.
        """
        while not done.is_set():
            if self._reason is not None and self._reason > StopReason.DRAIN:
                raise AttemptStoppedError(self._reason)
            self._changed.wait()
            self._changed.clear()


class Attempts:
    """The running attempts of all slots."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: dict[Lease, Attempt] = {}
        self._draining = False

    def add(self, attempt: Attempt) -> None:
        """Add an attempt; if the worker drains already, ask it to stop."""
        with self._lock:
            self._running[attempt.lease] = attempt
            draining = self._draining
        if draining:
            attempt.stop(StopReason.DRAIN)

    def remove(self, attempt: Attempt) -> None:
        """Remove an attempt that has ended."""
        with self._lock:
            del self._running[attempt.lease]

    def running(self) -> list[Attempt]:
        """The attempts that have not ended."""
        with self._lock:
            return list(self._running.values())

    def longest_unsaved(self) -> float:
        """Longest time since a save of all running attempts; 0 without any."""
        return max((attempt.unsaved_seconds for attempt in self.running()), default=0.0)

    def drain(self) -> None:
        """Ask every attempt to stop, now and in future, because the worker drains."""
        with self._lock:
            self._draining = True
        for attempt in self.running():
            attempt.stop(StopReason.DRAIN)
