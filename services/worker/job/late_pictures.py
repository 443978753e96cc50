"""Decode the pictures of canceled jobs after the cancellation is confirmed and the slot is free.

The database keeps the codes until the picture is added, so another worker can continue if this one dies. One
thread decodes one picture at a time, so that running jobs have to wait little for the tokenizer service.
"""

import logging
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Protocol
from uuid import UUID

from services.worker.job.undecoded_pictures import UndecodedPictures
from services.worker.patience import DATABASE_FAULTS, TRANSIENT
from services.worker.tokenizer_client import TokenizerRefusedError
from shared.error_words import words_of
from shared.events import Publish
from shared.ids import IdKind, format_id
from shared.job_store import Output, TakenPicture, UndecodedOutput
from shared.tracing.contexts import inside_job

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""Interval at which the thread looks for pictures that other workers have left."""
LEAVE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 300.0
MOST_TRIES = 200
"""After this many failures, in about 16 hours, the picture is given up."""


class LeftToOthersError(Exception):
    """The worker stops; another worker decodes the picture."""


class FinishPicture(Protocol):
    """Decodes and stores a picture; see `ResultStore.finish`."""

    def __call__(
        self, project_id: UUID, job_id: UUID, undecoded: UndecodedOutput, check: Callable[[], None]
    ) -> Output: ...


class LatePictures:
    """Runs the thread that decodes pictures of canceled jobs."""

    def __init__(
        self,
        pictures: UndecodedPictures,
        finish: FinishPicture,
        publish: Publish,
        lease_seconds: float,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """lease_seconds: time after which another worker may take a picture whose lease is not extended.

        look_seconds: interval at which the thread looks for pictures that other workers have left.
        """
        self._pictures = pictures
        self._finish = finish
        self._publish = publish
        self._lease_seconds = lease_seconds
        self._look_seconds = look_seconds
        self._lock = Lock()
        self._taken: TakenPicture | None = None
        self._wake = Event()
        self._stopping = Event()
        self._thread = Thread(target=self._serve, name="late pictures", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Look for a picture at once, because a job was just canceled."""
        self._wake.set()

    def keep(self) -> None:
        """Extend the lease of the current picture; called by the heartbeat. Raises database errors."""
        self._put_off(self._lease_seconds)

    def stop(self) -> None:
        """Stop the thread; the current picture is released to other workers, and its result here is dropped.

        Waits only LEAVE_SECONDS for the thread, because the tokenizer service may take minutes.
        """
        self._stopping.set()
        self._wake.set()
        try:
            self._put_off(0.0)
        except DATABASE_FAULTS as error:
            logger.warning(
                "could not release the picture of a canceled job; its lease will run out",
                extra={"reason": words_of(error)},
            )
        self._thread.join(LEAVE_SECONDS)

    def _put_off(self, seconds: float) -> None:
        with self._lock:
            taken = self._taken
        if taken is not None:
            self._pictures.put_off(taken, seconds)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                found = self.do_one()
            except Exception as error:
                if self._stopping.is_set():
                    return  # the error is caused by connections that are being closed
                if not isinstance(error, DATABASE_FAULTS):
                    raise
                logger.warning(
                    "cannot look for pictures of canceled jobs: the database does not answer",
                    extra={"reason": words_of(error)},
                )
                found = False
            if not found:
                self._wake.wait(self._look_seconds)

    def do_one(self) -> bool:
        """Decode and add the picture that has waited longest. Returns False if no picture waits."""
        taken = self._pictures.take(self._lease_seconds)
        if taken is None:
            return False
        with self._lock:
            self._taken = taken
        try:
            with inside_job(taken.job_id, taken.traceparent):
                self._do(taken)
        finally:
            with self._lock:
                self._taken = None
        return True

    def _do(self, taken: TakenPicture) -> None:
        facts = {"job_id": format_id(IdKind.JOB, taken.job_id), "candidate": taken.undecoded.position}
        try:
            output = self._finish(taken.project_id, taken.job_id, taken.undecoded, self._go_on)
        except LeftToOthersError:
            return
        except TokenizerRefusedError as error:
            logger.warning(
                "the tokenizer service refuses a picture of a canceled job; the picture is given up",
                extra={**facts, "reason": words_of(error)},
            )
            self._pictures.drop(taken)
        except TRANSIENT as error:
            logger.warning(
                "could not decode or store a picture of a canceled job; trying again later",
                extra={**facts, "reason": words_of(error)},
            )
            self._try_later(taken)
        except Exception:
            # the worker must continue, because it also runs other jobs
            logger.exception("unexpected error while decoding the picture of a canceled job", extra=facts)
            self._try_later(taken)
        else:
            self._add(taken, output)

    def _go_on(self) -> None:
        if self._stopping.is_set():
            raise LeftToOthersError

    def _add(self, taken: TakenPicture, output: Output) -> None:
        if self._stopping.is_set():
            return
        if self._pictures.add(taken, output):
            self._publish(taken.job_id, {"type": "output"})

    def _try_later(self, taken: TakenPicture) -> None:
        if self._stopping.is_set():
            return  # `stop` has released it already
        if taken.tries >= MOST_TRIES:
            self._pictures.drop(taken)
            return
        pause = min(LONGEST_PAUSE_SECONDS, 2.0 ** min(taken.tries, 10))
        self._pictures.put_off(taken, pause)
