"""The threads that wait for a doorbell, or a second or two, claim a job and run it."""

import logging
import time
from collections.abc import Callable
from secrets import SystemRandom
from threading import Event, Thread
from uuid import UUID

from services.worker.doorbells import Bell
from services.worker.patience import DATABASE_FAULTS
from shared.job_store import ClaimedJob

logger = logging.getLogger(__name__)

JITTER = 0.3
"""An idle slot's pauses differ by so much, so that workers do not ask the database in step."""


class Slots:
    """As many jobs at a time as there are threads."""

    def __init__(
        self,
        count: int,
        *,
        claim: Callable[[UUID | None], ClaimedJob | None],
        run: Callable[[ClaimedJob], None],
        bell: Bell,
        closing: Event,
        poll_seconds: float,
    ) -> None:
        """claim: the next job, or None; is told the project that the slot served before.

        run: does it, and raises nothing. closing: set to stop claiming.
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
        """Begin to claim."""
        for thread in self._threads:
            thread.start()

    def join(self, seconds: float) -> bool:
        """Wait until every slot has stopped, at most so long; whether they have. Set `closing` before."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            self._bell.ring()
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _serve(self) -> None:
        just_served: UUID | None = None
        while not self._closing.is_set():
            claimed = self._try_to_claim(just_served)
            if claimed is None:
                self._bell.wait(self._poll_seconds * self._random.uniform(1 - JITTER, 1 + JITTER))
                continue
            # there may be more where this one came from
            self._bell.ring()
            self._run(claimed)
            just_served = claimed.project_id
        # the ring that ended this wait may have been meant for another slot
        self._bell.ring()

    def _try_to_claim(self, just_served: UUID | None) -> ClaimedJob | None:
        try:
            return self._claim(just_served)
        except DATABASE_FAULTS as error:
            logger.warning("cannot look for jobs", extra={"reason": str(error)})
            return None
