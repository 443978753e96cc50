"""Threads that wait for a doorbell or the poll interval, claim a job and run it."""

import time
from collections.abc import Callable
from secrets import SystemRandom
from threading import Event, Thread
from uuid import UUID

from services.worker.broker.doorbells import Bell
from services.worker.outages import DATABASE
from services.worker.patience import DATABASE_FAULTS
from shared.error_words import words_of
from shared.job_store import ClaimedJob

JITTER = 0.3
"""Random part of an idle slot's pause, so that workers do not ask the database at the same time."""


class Slots:
    """Runs one job at a time in each of its threads."""

    def __init__(
        self,
        count: int,
        *,
        claim: Callable[[UUID | None, int], ClaimedJob | None],
        run: Callable[[ClaimedJob], None],
        bell: Bell,
        closing: Event,
        poll_seconds: float,
    ) -> None:
        """claim: returns the next job or None; it gets the project of the slot's previous job, and the number
        of jobs that the slot has run for this project in a row.

        run: runs the job and never raises. closing: set to stop claiming. poll_seconds: an idle slot's pause.
        """
        self._claim = claim
        self._run = run
        self._bell = bell
        self._closing = closing
        self._poll_seconds = poll_seconds
        self._random = SystemRandom()
        self._threads = [
            Thread(target=self._serve, name=f"slot-{number}", daemon=True) for number in range(count)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def join(self, seconds: float) -> bool:
        """Wait at most `seconds` until all slots have stopped; whether they have. Set `closing` first."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            self._bell.ring()
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _serve(self) -> None:
        just_served: UUID | None = None
        in_a_row = 0
        while not self._closing.is_set():
            claimed = self._try_to_claim(just_served, in_a_row)
            if claimed is None:
                self._bell.wait(self._poll_seconds * self._random.uniform(1 - JITTER, 1 + JITTER))
                continue
            # wake another slot: there may be more jobs
            self._bell.ring()
            self._run(claimed)
            in_a_row = in_a_row + 1 if claimed.project_id == just_served else 1
            just_served = claimed.project_id
        # this slot may have used up a ring that another slot needs to stop
        self._bell.ring()

    def _try_to_claim(self, just_served: UUID | None, in_a_row: int) -> ClaimedJob | None:
        started = time.monotonic()
        try:
            claimed = self._claim(just_served, in_a_row)
        except DATABASE_FAULTS as error:
            DATABASE.failed(words_of(error), started)
            return None
        DATABASE.answered()
        return claimed
