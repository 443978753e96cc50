"""Drain the worker: stop claiming, save the codes of every attempt, hand the jobs back."""

import logging
from collections.abc import Callable
from threading import Event, Thread

from services.worker.claiming.attempts import Attempts
from services.worker.claiming.slots import Slots
from services.worker.patience import DATABASE_FAULTS
from shared.error_words import words_of
from shared.ids import IdKind, format_id
from shared.job_store import Lease, LeaseLostError

logger = logging.getLogger(__name__)

SPARE_SECONDS = 2.0
"""Part of the drain time that is kept to release the jobs of attempts that do not stop by themselves."""


class Drain:
    """Drains in a thread of its own, so that a signal handler only sets an event."""

    def __init__(
        self,
        *,
        attempts: Attempts,
        slots: Slots,
        closing: Event,
        release: Callable[[Lease], None],
        seconds: float,
        begin: Callable[[], None],
        finish: Callable[[], None],
    ) -> None:
        """closing: set to make the slots stop claiming. seconds: limit of the whole drain.

        release: queues a job again. begin: called when the drain begins; must return at once. finish: called
        when no job is left.
        """
        self._attempts = attempts
        self._slots = slots
        self._closing = closing
        self._release = release
        self._seconds = seconds
        self._begin = begin
        self._finish = finish
        self._requested = Event()
        self._done = Event()

    def start(self) -> None:
        """Start the thread that waits for a request."""
        Thread(target=self._serve, name="drain", daemon=True).start()

    def request(self) -> None:
        """Request the drain. Any thread and any signal handler may call it."""
        self._requested.set()

    def wait(self) -> bool:
        """Wait until the drain is over, a little longer than its limit. Returns whether it is over."""
        return self._done.wait(self._seconds + SPARE_SECONDS)

    def wait_however_long(self) -> None:
        """Wait until the drain is over, without a limit."""
        self._done.wait()

    def _serve(self) -> None:
        self._requested.wait()
        logger.info(
            "draining: no more jobs are claimed, running jobs are handed back",
            extra={"running": len(self._attempts.running())},
        )
        self._closing.set()
        self._attempts.drain()
        self._begin()
        if not self._slots.join(max(0.0, self._seconds - SPARE_SECONDS)):
            self._release_the_rest()
        self._finish()
        logger.info("drained: no job is left")
        self._done.set()

    def _release_the_rest(self) -> None:
        """Release the jobs of attempts that hang in a call; their last checkpoints are kept."""
        for attempt in self._attempts.running():
            lease = attempt.lease
            try:
                self._release(lease)
            except (LeaseLostError, *DATABASE_FAULTS) as error:
                logger.warning(
                    "could not release a job while draining; its lease will run out",
                    extra={"job_id": format_id(IdKind.JOB, lease.job_id), "reason": words_of(error)},
                )
