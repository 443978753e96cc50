"""Write the progress and the checkpoint of a running attempt, if its lease is still valid."""

import logging
import time
from dataclasses import asdict, replace

from services.worker.claiming.attempts import Attempt, StopReason
from services.worker.job.candidates import Drawing
from services.worker.job.fenced_writes import FencedWrites, SavedProgress
from services.worker.patience import DATABASE_FAULTS
from shared.error_words import words_of
from shared.events import Publish
from shared.job_store import LeaseLostError, Progress
from shared.jobs import JobEvent, Phase

logger = logging.getLogger(__name__)


class JobLog:
    """Writes progress, checkpoints and events of one attempt."""

    def __init__(
        self, writes: FencedWrites, publish: Publish, attempt: Attempt, numerics: str | None
    ) -> None:
        """numerics: short name of the numerics identity that draws the saved codes."""
        self._writes = writes
        self._numerics = numerics
        self._publish = publish
        self._attempt = attempt
        self._saved_codes = 0
        self._first_estimate: tuple[float, float] | None = None
        """When the first estimate was made, and the seconds that it gave."""

    def eta_error(self) -> float | None:
        """Error of the first estimate as a part of the true time, which is now over; None without one."""
        if self._first_estimate is None:
            return None
        made_at, estimate = self._first_estimate
        true = time.monotonic() - made_at
        return abs(estimate - true) / true if true else None

    def enter(self, phase: Phase) -> None:
        """Write a phase in which no codes are drawn."""
        self._write(Progress(phase, 0, 0), None)

    def save(self, drawing: Drawing, seconds_after: float) -> None:
        """Save progress and new codes. If the database does not answer, the job continues without saving.

        seconds_after: expected time between the last code and the end of the job.
        """
        progress = drawing.progress()
        if progress.eta_seconds is not None:
            left = progress.eta_seconds + seconds_after
            progress = replace(progress, eta_seconds=left)
            self._first_estimate = self._first_estimate or (time.monotonic(), left)
        self._write(progress, self._fresh_checkpoint(drawing))

    def commit(self, phase: Phase, drawing: Drawing, seconds_left: float) -> None:
        """Save all codes before the next phase begins. Raises LeaseLostError and database errors."""
        progress = replace(drawing.progress(phase), eta_seconds=seconds_left)
        self._writes.save(self._attempt.lease, self._whole(drawing, progress))
        self._attempt.saved()
        self._saved_codes = drawing.tokens_done

    def hand_back(self, drawing: Drawing | None, reason: str, pause_seconds: float = 0.0) -> None:
        """Save the codes and queue the job again, in one transaction. Raises LeaseLostError."""
        saved = self._whole(drawing, drawing.progress()) if drawing and drawing.tokens_done else None
        self._writes.hand_back(self._attempt.lease, saved, reason, pause_seconds)

    def tell(self, event: JobEvent) -> None:
        """Publish an event, so that clients read the job again."""
        self._publish(self._attempt.lease.job_id, {"type": event})

    def _whole(self, drawing: Drawing, progress: Progress) -> SavedProgress:
        return SavedProgress(progress, drawing.checkpoint().to_bytes(), self._numerics)

    def _fresh_checkpoint(self, drawing: Drawing) -> bytes | None:
        if drawing.tokens_done == self._saved_codes:
            return None
        checkpoint = drawing.checkpoint()
        self._saved_codes = sum(len(candidate.codes) for candidate in checkpoint.candidates)
        return checkpoint.to_bytes()

    def _write(self, progress: Progress, checkpoint: bytes | None) -> None:
        lease = self._attempt.lease
        try:
            self._writes.save(lease, SavedProgress(progress, checkpoint, self._numerics))
        except LeaseLostError:
            self._attempt.stop(StopReason.LOST)
            return
        except DATABASE_FAULTS as error:
            logger.warning(
                "could not save progress and codes; the job continues", extra={"reason": words_of(error)}
            )
            self._saved_codes = 0
            return
        self._attempt.saved()
        self._publish(lease.job_id, {"type": "progress", "attempt": lease.attempt, **asdict(progress)})
