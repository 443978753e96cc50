"""Find running jobs that a user wants to cancel, faster than the heartbeat would."""

from collections.abc import Callable, Collection, Sequence

from services.worker.claiming.attempts import Attempts, StopReason
from shared.job_store import Lease

LOOK_SECONDS = 0.25
"""Short, because a running job has to stop within a second of the request, also on a busy machine."""


class CancelWatch:
    """Asks the database once for all attempts; without running jobs it does not ask."""

    def __init__(
        self, attempts: Attempts, find_canceling: Callable[[Sequence[Lease]], Collection[Lease]]
    ) -> None:
        """find_canceling: returns the leases among the given ones whose jobs are to be canceled."""
        self._attempts = attempts
        self._find_canceling = find_canceling

    def look(self) -> None:
        """Stop the attempts whose jobs are to be canceled. Raises database errors."""
        running = self._attempts.running()
        if not running:
            return
        canceling = self._find_canceling([attempt.lease for attempt in running])
        for attempt in running:
            if attempt.lease in canceling:
                attempt.stop(StopReason.CANCEL)
