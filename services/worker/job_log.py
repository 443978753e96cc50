"""What an attempt writes of itself while it runs: progress and checkpoint, behind its fence."""

import logging
from dataclasses import asdict

from services.worker.attempts import Attempt, StopReason
from services.worker.drawing import Drawing
from services.worker.patience import DATABASE_FAULTS
from shared.database import Database
from shared.events import EventPublisher
from shared.job_store import LeaseLostError, Progress, release_job, save_progress

logger = logging.getLogger(__name__)


class JobLog:
    """Writes for one attempt."""

    def __init__(self, database: Database, events: EventPublisher, attempt: Attempt) -> None:
        self._database = database
        self._events = events
        self._attempt = attempt
        self._saved_codes = 0

    def enter(self, phase: str) -> None:
        """Note a phase in which nothing is drawn."""
        self._write(Progress(phase, 0, 0), None)

    def save(self, phase: str, drawing: Drawing) -> None:
        """Note how far the drawing is, and save codes that are new.

        A database that is away misses it, and the job goes on.
        """
        self._write(progress_of(phase, drawing), self._fresh_checkpoint(drawing))

    def hand_back(self, drawing: Drawing | None) -> None:
        """Save the codes and queue the job again, in one transaction. Raises LeaseLostError."""
        with self._database.transaction() as session:
            if drawing is not None:
                checkpoint = drawing.checkpoint().to_bytes()
                save_progress(session, self._attempt.lease, progress_of("generating", drawing), checkpoint)
            release_job(session, self._attempt.lease, "drain")

    def tell(self, kind: str) -> None:
        """Hint to listeners that the job's row has changed."""
        self._events.publish(self._attempt.lease.job_id, {"type": kind})

    def _fresh_checkpoint(self, drawing: Drawing) -> bytes | None:
        if drawing.tokens_done == self._saved_codes:
            return None
        checkpoint = drawing.checkpoint()
        self._saved_codes = sum(len(candidate.codes) for candidate in checkpoint.candidates)
        return checkpoint.to_bytes()

    def _write(self, progress: Progress, checkpoint: bytes | None) -> None:
        lease = self._attempt.lease
        try:
            with self._database.transaction() as session:
                save_progress(session, lease, progress, checkpoint)
        except LeaseLostError:
            self._attempt.stop(StopReason.LOST)
            return
        except DATABASE_FAULTS as error:
            logger.warning("progress not saved", extra={"reason": str(error)})
            self._saved_codes = 0
            return
        self._events.publish(lease.job_id, {"type": "progress", "attempt": lease.attempt, **asdict(progress)})


def progress_of(phase: str, drawing: Drawing) -> Progress:
    """How far a drawing is."""
    return Progress(phase, drawing.tokens_done, drawing.tokens_total, drawing.tokens_per_second)
