"""The attempts that this worker makes right now, and how they are told to stop."""

from enum import IntEnum
from threading import Event, Lock

from shared.job_store import ClaimedJob, Lease


class StopReason(IntEnum):
    """Why an attempt is to stop; a larger one overrules a smaller one."""

    DRAIN = 1
    """The worker leaves: save the tokens and hand the job back."""
    CANCEL = 2
    """The user asked: keep what was drawn and end the job."""
    LOST = 3
    """The lease is over: write nothing more."""


class AttemptStoppedError(Exception):
    """The attempt was told to stop while it waited for something."""

    def __init__(self, reason: StopReason) -> None:
        self.reason = reason
        super().__init__(f"stopped: {reason.name.lower()}")


class Attempt:
    """One try at one job. Its own thread runs it; heartbeat, engine and drain wake that thread."""

    def __init__(self, claimed: ClaimedJob) -> None:
        self.claimed = claimed
        self._changed = Event()
        self._lock = Lock()
        self._reason: StopReason | None = None

    @property
    def lease(self) -> Lease:
        return self.claimed.lease

    def wake(self) -> None:
        """Let the attempt's thread look around; from any thread."""
        self._changed.set()

    def stop(self, reason: StopReason) -> None:
        """Ask the attempt to stop; from any thread, as often as one likes."""
        with self._lock:
            self._reason = reason if self._reason is None else max(self._reason, reason)
        self._changed.set()

    def check(self) -> None:
        """Raise AttemptStoppedError when the attempt is to stop."""
        if self._reason is not None:
            raise AttemptStoppedError(self._reason)

    def wait(self, seconds: float) -> None:
        """Wait until woken, at most so long. Raises AttemptStoppedError."""
        self._changed.wait(seconds)
        self._changed.clear()
        self.check()


class Attempts:
    """The running attempts of all slots."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: dict[Lease, Attempt] = {}
        self._draining = False

    def add(self, attempt: Attempt) -> None:
        """Take note of an attempt; one that begins while the worker drains is told so at once."""
        with self._lock:
            self._running[attempt.lease] = attempt
            draining = self._draining
        if draining:
            attempt.stop(StopReason.DRAIN)

    def remove(self, attempt: Attempt) -> None:
        """Forget an attempt that has ended."""
        with self._lock:
            del self._running[attempt.lease]

    def running(self) -> list[Attempt]:
        """Those that have not ended."""
        with self._lock:
            return list(self._running.values())

    def drain(self) -> None:
        """Tell every attempt, present or future, that the worker leaves."""
        with self._lock:
            self._draining = True
        for attempt in self.running():
            attempt.stop(StopReason.DRAIN)
