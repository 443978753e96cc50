"""Look, more often than the heart beats, whether a user wants one of the running jobs to stop."""

from services.worker.attempts import Attempts, StopReason
from shared.database import Database
from shared.job_store import find_canceling

LOOK_SECONDS = 0.4
"""A running job has to stop within a second, and its rows have to become a picture in that time, too."""


class CancelWatch:
    """Looks for all attempts at once; a worker without jobs asks nothing."""

    def __init__(self, database: Database, attempts: Attempts) -> None:
        self._database = database
        self._attempts = attempts

    def look(self) -> None:
        """One round. Raises what the database raises."""
        running = self._attempts.running()
        if not running:
            return
        with self._database.transaction() as session:
            canceling = find_canceling(session, [attempt.lease for attempt in running])
        for attempt in running:
            if attempt.lease in canceling:
                attempt.stop(StopReason.CANCEL)
