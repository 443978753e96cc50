"""Leave in order: stop claiming, save every attempt's codes, hand the jobs back."""

import logging
from collections.abc import Callable
from threading import Event, Thread

from services.worker.attempts import Attempts
from services.worker.patience import DATABASE_FAULTS
from services.worker.slots import Slots
from shared.database import Database
from shared.ids import IdKind, format_id
from shared.job_store import LeaseLostError, release_job

logger = logging.getLogger(__name__)

SPARE_SECONDS = 2.0
"""Left of the time for a drain when attempts that do not stop are released over their heads."""


class Drain:
    """Waits in a thread of its own, so that a signal handler has nothing to do but set an event."""

    def __init__(
        self,
        *,
        attempts: Attempts,
        slots: Slots,
        closing: Event,
        database: Database,
        seconds: float,
        begin: Callable[[], None],
        finish: Callable[[], None],
    ) -> None:
        """closing: what the slots look at. begin: tells others; returns at once.

        finish: ends heartbeat and engine when no job is left.
        """
        self._attempts = attempts
        self._slots = slots
        self._closing = closing
        self._database = database
        self._seconds = seconds
        self._begin = begin
        self._finish = finish
        self._requested = Event()
        self._done = Event()

    def start(self) -> None:
        """Begin to wait for a request."""
        Thread(target=self._serve, name="drain", daemon=True).start()

    def request(self) -> None:
        """Ask to leave; from anywhere, a signal handler too."""
        self._requested.set()

    def wait(self) -> bool:
        """Wait until the worker has left, somewhat longer than it may take; whether it has."""
        return self._done.wait(self._seconds + SPARE_SECONDS)

    def wait_however_long(self) -> None:
        """Wait until the worker has left."""
        self._done.wait()

    def _serve(self) -> None:
        self._requested.wait()
        logger.info("draining", extra={"running": len(self._attempts.running())})
        self._closing.set()
        self._attempts.drain()
        self._begin()
        if not self._slots.join(max(0.0, self._seconds - SPARE_SECONDS)):
            self._release_the_rest()
        self._finish()
        logger.info("drained")
        self._done.set()

    def _release_the_rest(self) -> None:
        """Hand back what hangs in a call that does not return; its last checkpoint stands."""
        for attempt in self._attempts.running():
            lease = attempt.lease
            try:
                with self._database.transaction() as session:
                    release_job(session, lease, "drain")
            except (LeaseLostError, *DATABASE_FAULTS) as error:
                logger.warning(
                    "not released",
                    extra={"job_id": format_id(IdKind.JOB, lease.job_id), "reason": str(error)},
                )
