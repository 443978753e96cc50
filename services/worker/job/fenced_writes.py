"""What an attempt writes about its job: one transaction a call, fenced by the attempt's lease."""

from dataclasses import dataclass
from typing import Protocol

from shared.database import Database
from shared.job_errors import JobError
from shared.job_store import (
    Answer,
    Lease,
    Progress,
    confirm_cancel,
    fail_job,
    release_job,
    save_progress,
    succeed_job,
)


@dataclass(frozen=True)
class SavedProgress:
    """How far an attempt is.

    checkpoint: all codes drawn so far, None to keep those that were saved before. numerics: the short name of
    the numerics identity that drew them.
    """

    progress: Progress
    checkpoint: bytes | None
    numerics: str | None


class FencedWrites(Protocol):
    """Every call raises database errors, and LeaseLostError when the attempt no longer holds the job."""

    def save(self, lease: Lease, saved: SavedProgress) -> None:
        """Save the progress of a running attempt."""
        ...

    def hand_back(self, lease: Lease, saved: SavedProgress | None, reason: str, pause_seconds: float) -> None:
        """Save the progress and queue the job again; no worker claims it before the pause is over."""
        ...

    def succeed(self, lease: Lease, answer: Answer) -> None:
        """End the job with its answer."""
        ...

    def confirm_cancel(self, lease: Lease, answer: Answer | None) -> None:
        """End a job that a user canceled, with what was drawn of it."""
        ...

    def fail(self, lease: Lease, error: JobError) -> None:
        """Record a failed attempt: the job is tried again or ends as failed."""
        ...


class DatabaseWrites:
    """The writes of a worker's attempts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, lease: Lease, saved: SavedProgress) -> None:
        """See FencedWrites."""
        with self._database.transaction() as session:
            save_progress(session, lease, saved.progress, saved.checkpoint, saved.numerics)

    def hand_back(self, lease: Lease, saved: SavedProgress | None, reason: str, pause_seconds: float) -> None:
        """See FencedWrites."""
        with self._database.transaction() as session:
            if saved is not None:
                save_progress(session, lease, saved.progress, saved.checkpoint, saved.numerics)
            release_job(session, lease, reason, pause_seconds)

    def succeed(self, lease: Lease, answer: Answer) -> None:
        """See FencedWrites."""
        with self._database.transaction() as session:
            succeed_job(session, lease, answer)

    def confirm_cancel(self, lease: Lease, answer: Answer | None) -> None:
        """See FencedWrites."""
        with self._database.transaction() as session:
            confirm_cancel(session, lease, answer)

    def fail(self, lease: Lease, error: JobError) -> None:
        """See FencedWrites."""
        with self._database.transaction() as session:
            fail_job(session, lease, error)
