"""The heartbeat: extend the worker's leases, stop attempts that must stop, and update the worker's row."""

from collections.abc import Callable, Sequence
from typing import Protocol

from services.worker.claiming.attempts import Attempts, StopReason
from shared.job_store import HeartbeatReport, Lease


class ExtendLeases(Protocol):
    """Extends leases and writes the worker's row; see `Leases.extend`."""

    def __call__(self, held: Sequence[Lease], numerics: str | None, *, draining: bool) -> HeartbeatReport: ...


class Heartbeat:
    """Sends the heartbeat for all attempts in one transaction."""

    def __init__(self, attempts: Attempts, extend: ExtendLeases, numerics: Callable[[], str | None]) -> None:
        """numerics: returns the short name of the numerics identity, or None while it is not known."""
        self._attempts = attempts
        self._extend = extend
        self._numerics = numerics
        self._draining = False
        self._told: str | None = None

    def has_told(self, numerics: str | None) -> bool:
        """Whether the workers' table already shows this identity for this worker."""
        return numerics is not None and self._told == numerics

    def begin_draining(self) -> None:
        """Mark the worker as draining, from the next heartbeat on."""
        self._draining = True

    def beat(self) -> None:
        """Send one heartbeat. Raises database errors; leases that were not extended then run out."""
        running = self._attempts.running()
        numerics = self._numerics()
        report = self._extend([attempt.lease for attempt in running], numerics, draining=self._draining)
        self._told = numerics
        for attempt in running:
            if report.is_lost(attempt.lease):
                attempt.stop(StopReason.LOST)
            elif report.should_cancel(attempt.lease):
                attempt.stop(StopReason.CANCEL)
