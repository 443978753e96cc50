"""One job from claim to commit.

    prepare ─► draw ─► decode and store ─► one fenced transaction

What passes by itself (a tokenizer, a storage or a database that is away) is waited out inside the attempt.
A stop ends it early, in one of three ways: the codes are handed back, the drawn rows become a partial
picture, or, when the lease is lost, nothing more is written. `finish_by` is kept by the sweeper, which ends
the job in the database; the attempt then finds its lease lost.
"""

import logging
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self, assert_never

from services.worker.attempts import Attempt, AttemptStoppedError, StopReason
from services.worker.drawing import Drawing
from services.worker.engine_host import EngineHost
from services.worker.failures import job_error
from services.worker.job_log import JobLog
from services.worker.patience import TRANSIENT, Patience
from services.worker.phase_times import PhaseTimes
from services.worker.preparation import Preparation, PreparedJob
from services.worker.results import ResultStore, answer_of
from services.worker.token_checkpoint import CheckpointFormatError, TokenCheckpoint
from shared.database import Database
from shared.events import EventPublisher
from shared.job_store import Answer, LeaseLostError, Output, confirm_cancel, fail_job, succeed_job

logger = logging.getLogger(__name__)

STOP_SECONDS = 4.0
"""How long the last write of a stopping attempt is tried: a drain has ten seconds in all."""


@dataclass(frozen=True)
class RunnerTools:
    """What every attempt of a worker uses.

    tick_seconds: how often progress and new codes are saved. patience_seconds: see GpuWorkerSettings.
    """

    database: Database
    events: EventPublisher
    host: EngineHost
    preparation: Preparation
    results: ResultStore
    tick_seconds: float
    patience_seconds: float


@dataclass(frozen=True)
class Work:
    """What an attempt has in hand once its job is prepared."""

    job: PreparedJob
    drawing: Drawing


class JobRun:
    """One attempt, used as a context manager: an error inside the block becomes the job's failure."""

    def __init__(self, tools: RunnerTools, attempt: Attempt) -> None:
        self._tools = tools
        self._attempt = attempt
        self._log = JobLog(tools.database, tools.events, attempt)
        self._patience = Patience(attempt.wait, tools.patience_seconds)
        self._haste = Patience(time.sleep, STOP_SECONDS)
        self._work: Work | None = None
        self._times = PhaseTimes()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Leave no work behind in the engine, and report what went wrong. Errors end here."""
        if self._work is not None:
            self._work.drawing.cancel()
        if isinstance(error, LeaseLostError):
            logger.warning("the lease was lost; nothing more is written")
        elif isinstance(error, Exception):
            self._fail(error)
        return isinstance(error, Exception)

    def run(self) -> None:
        """Do the job, or stop it as asked. Raises whatever makes the attempt fail."""
        try:
            self._times.enter("preparing")
            if self._attempt.claimed.request.get("image") is not None:
                self._log.enter("encoding")
            job = self._patience.insist(lambda: self._tools.preparation.prepare(self._attempt.claimed))
            self._work = Work(job, self._begin(job))
            self._draw(self._work.drawing)
            self._succeed(self._work)
        except AttemptStoppedError as stopped:
            logger.info("attempt stopped", extra={"reason": stopped.reason.name.lower()})
            self._stop(stopped.reason)

    def _begin(self, job: PreparedJob) -> Drawing:
        saved = usable_checkpoint(self._attempt.claimed.checkpoint, job)
        return Drawing(self._tools.host, job.recipe, saved, self._attempt.wake)

    def _draw(self, drawing: Drawing) -> None:
        self._times.enter("generating")
        while not drawing.ended:
            self._log.save("generating", drawing)
            self._attempt.wait(self._tools.tick_seconds)
        drawing.raise_failure()

    def _succeed(self, work: Work) -> None:
        self._times.enter("saving")
        self._log.save("decoding", work.drawing)
        outputs: list[Output] = []
        for index in range(work.job.recipe.candidates):
            self._attempt.check()
            outputs += self._patience.insist(lambda index=index: self._outputs(work, index))
        answer = answer_of(outputs, work.drawing)
        self._times.enter("committing")

        def commit() -> None:
            with self._tools.database.transaction() as session:
                succeed_job(session, self._attempt.lease, answer)

        self._patience.insist(commit)
        self._log.tell("succeeded")
        logger.info("job done", extra={"milliseconds": self._times.milliseconds()})

    def _outputs(self, work: Work, index: int) -> list[Output]:
        """The candidate's picture, in the storage; none when not even a row of it is drawn."""
        self._times.enter("decoding")
        picture = self._tools.results.decode(work.job, index, work.drawing.candidates()[index])
        if picture is None:
            return []
        self._times.enter("storing")
        return [self._tools.results.store(self._attempt.claimed, index, picture)]

    def _stop(self, reason: StopReason) -> None:
        """End the attempt as asked; what does not answer now is left to whoever takes the job over."""
        if self._work is not None:
            self._work.drawing.cancel()
        try:
            match reason:
                case StopReason.LOST:
                    return
                case StopReason.DRAIN:
                    self._haste.insist(lambda: self._log.hand_back(self._work and self._work.drawing))
                    self._log.tell("interrupted")
                case StopReason.CANCEL:
                    self._cancel()
                    self._log.tell("canceled")
                case _:
                    assert_never(reason)
        except TRANSIENT:
            logger.exception("could not stop in order; the lease will run out")

    def _cancel(self) -> None:
        """Keep what is drawn and confirm."""
        answer = self._partial_answer(self._work) if self._work else None

        def commit() -> None:
            with self._tools.database.transaction() as session:
                confirm_cancel(session, self._attempt.lease, answer)

        self._haste.insist(commit)

    def _partial_answer(self, work: Work) -> Answer:
        """The rows that are drawn, unless tokenizer or storage keep a user waiting who wants to stop."""
        outputs: list[Output] = []
        try:
            for index in range(work.job.recipe.candidates):
                outputs += self._outputs(work, index)
        except TRANSIENT:
            logger.exception("a partial picture is not kept")
        return answer_of(outputs, work.drawing)

    def _fail(self, error: Exception) -> None:
        reason = job_error(error)
        logger.error("attempt failed", exc_info=error, extra={"code": reason.code.value})

        def commit() -> None:
            with self._tools.database.transaction() as session:
                fail_job(session, self._attempt.lease, reason)

        try:
            self._haste.insist(commit)
        except (LeaseLostError, *TRANSIENT) as fault:
            logger.warning("failure not recorded; the lease will run out", extra={"reason": str(fault)})
            return
        self._log.tell("failed")


def usable_checkpoint(data: bytes | None, job: PreparedJob) -> TokenCheckpoint | None:
    """The checkpoint of an earlier attempt, if there is one and it drew the same."""
    if data is None:
        return None
    try:
        saved = TokenCheckpoint.from_bytes(data)
    except CheckpointFormatError as error:
        logger.warning("checkpoint not understood", extra={"reason": str(error)})
        return None
    if saved.recipe != job.recipe.sha256 or len(saved.candidates) != job.recipe.candidates:
        logger.warning("checkpoint of another model or recipe; the drawing starts anew")
        return None
    return saved
