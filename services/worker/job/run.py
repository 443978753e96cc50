"""Run one job from claim to commit.

    prepare ─► draw ─► decode and store ─► one fenced transaction

If the tokenizer service, the storage or the database does not answer, the attempt waits. All codes are
committed before they are decoded. If an outage lasts longer than the attempt waits, a job with saved codes
does not fail: it returns to the queue, as often as necessary. If all its codes are drawn, the next attempt
only decodes them, without the engine.
An attempt is stopped early in one of three ways. A drain hands the codes back. A cancellation keeps the drawn
rows, which are decoded afterwards. After a lost lease, nothing more is written. The io worker enforces
`finish_by`: it ends the job in the database, and the attempt then loses its lease.
"""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar, assert_never

from services.worker.claiming.attempts import Attempt, AttemptStoppedError, StopReason
from services.worker.claiming.errands import Errands
from services.worker.job.candidates import Drawing
from services.worker.job.failures import is_outage, job_error
from services.worker.job.fenced_writes import FencedWrites
from services.worker.job.observed import count_codes, count_steps, observe_estimate
from services.worker.job.prepare import PreparedJob
from services.worker.job.progress import JobLog
from services.worker.job.results import ResultStore, answer_of
from services.worker.job.step_spans import add_results, name_of_step, request_attributes
from services.worker.job.steps import Step, StepTimes
from services.worker.job.token_checkpoint import CheckpointFormatError, TokenCheckpoint
from services.worker.metrics import LOST_LEASES
from services.worker.model.engine_host import EngineHost
from services.worker.patience import TRANSIENT, Patience
from shared.error_words import words_of
from shared.events import Publish
from shared.job_errors import JobErrorCode
from shared.job_store import Answer, ClaimedJob, LeaseLostError, Output
from shared.jobs import JobEvent, Phase
from shared.tracing.spans import set_attributes

logger = logging.getLogger(__name__)

Value = TypeVar("Value")

STOP_SECONDS = 4.0
"""Limit for retries of the last write of a stopping attempt. A whole drain has ten seconds."""
OUTAGE_PAUSE_SECONDS = 5.0
"""Pause before the next attempt at a job that returned to the queue because of an outage."""


Show = Callable[[ClaimedJob, Drawing], AbstractContextManager[None]]


def shown_to_nobody(claimed: ClaimedJob, drawing: Drawing) -> AbstractContextManager[None]:
    """Make no partial pictures."""
    del claimed, drawing
    return nullcontext()


@dataclass(frozen=True)
class RunnerTools:
    """Objects and settings that all attempts of a worker share.

    prepare: lays a job out for the engine; see `Preparation.prepare`. numerics: returns the short name of the
    numerics identity, or None while it is not known. model: its name. on_undecoded: called when a
    canceled job leaves pictures to decode. tick_seconds: how often progress is saved. patience_seconds: see
    GpuWorkerSettings. stop_seconds: how long the last write of a stopping attempt is tried. shown: shows the
    drawing to clients while the context is open; see `PartialPictures.shown`.
    """

    writes: FencedWrites
    publish: Publish
    host: EngineHost
    prepare: Callable[[ClaimedJob], PreparedJob]
    results: ResultStore
    errands: Errands
    on_undecoded: Callable[[], None]
    numerics: Callable[[], str | None]
    model: str
    tick_seconds: float
    patience_seconds: float
    stop_seconds: float = STOP_SECONDS
    shown: Show = shown_to_nobody


@dataclass(frozen=True)
class Work:
    """The prepared job of an attempt and its drawing."""

    job: PreparedJob
    drawing: Drawing


class JobRun:
    """One attempt, used as a context manager: an error inside the block becomes the job's failure."""

    def __init__(self, tools: RunnerTools, attempt: Attempt) -> None:
        self._tools = tools
        self._attempt = attempt
        self._log = JobLog(tools.writes, tools.publish, attempt, tools.numerics())
        self._patience = Patience(attempt.wait, tools.patience_seconds)
        self._haste = Patience(time.sleep, tools.stop_seconds)
        self._work: Work | None = None
        self._codes_are_committed = False
        self._times = StepTimes()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Cancel unfinished work in the engine and report an error. No error leaves the block."""
        self._times.end(error)
        if self._work is not None:
            self._work.drawing.cancel()
            count_codes(self._work.drawing.fresh_codes, self._work.drawing.forward_passes)
        count_steps(self._times.milliseconds())
        if isinstance(error, LeaseLostError):
            LOST_LEASES.inc()
            logger.warning("the job's lease was lost; this attempt writes nothing more")
        elif isinstance(error, Exception):
            self._fail(error)
        return isinstance(error, Exception)

    def run(self) -> None:
        """Run the job, or stop it on request. Raises the error that makes the attempt fail."""
        try:
            self._times.enter(Step.PREPARING)
            claimed = self._attempt.claimed
            # after a resume, clients still see the saved progress
            if claimed.request.get("image") is not None and claimed.checkpoint is None:
                self._log.enter(Phase.ENCODING)
            job = self._patience.insist(lambda: self._errand(lambda: self._tools.prepare(claimed)))
            self._work = Work(job, self._begin(job))
            self._draw(self._work)
            self._succeed(self._work)
        except AttemptStoppedError as stopped:
            logger.info("attempt stopped", extra={"reason": stopped.reason.name.lower()})
            self._times.end(stopped)
            self._stop(stopped.reason)

    def _begin(self, job: PreparedJob) -> Drawing:
        saved = usable_checkpoint(self._attempt.claimed, job, self._tools.numerics())
        return Drawing(self._tools.host, job.recipe, saved, self._attempt.wake)

    def _draw(self, work: Work) -> None:
        model = self._tools.model
        self._times.enter(Step.GENERATING, name_of_step(Step.GENERATING, model))
        set_attributes(
            self._times.span, request_attributes(model, work.drawing.recipe, work.job.picture.prompt)
        )
        with self._tools.shown(self._attempt.claimed, work.drawing):
            while not work.drawing.ended:
                self._log.save(work.drawing, self._tools.results.expected_seconds(work.job))
                self._attempt.wait(self._tools.tick_seconds)
        add_results(self._times.span, work.drawing)
        work.drawing.raise_failure()

    def _succeed(self, work: Work) -> None:
        self._times.enter(Step.SAVING)
        expected = self._tools.results.expected_seconds(work.job)
        self._patience.insist(lambda: self._log.commit(Phase.DECODING, work.drawing, expected))
        self._codes_are_committed = True
        outputs: list[Output] = []
        for index in work.drawing.kept():
            self._attempt.check()
            outputs += self._patience.insist(
                lambda index=index: self._errand(lambda: self._outputs(work, index))
            )
        answer = answer_of(outputs, work.drawing, self._tools.model)
        self._times.enter(Step.COMMITTING)
        self._patience.insist(lambda: self._tools.writes.succeed(self._attempt.lease, answer))
        self._log.tell(JobEvent.SUCCEEDED)
        observe_estimate(self._log.eta_error())
        logger.info("job done", extra={"milliseconds": self._times.milliseconds()})

    def _errand(self, call: Callable[[], Value]) -> Value:
        """Return the value of a call that may take long. A canceled attempt does not wait for it."""
        return self._tools.errands.run(self._attempt, call)

    def _outputs(self, work: Work, index: int) -> list[Output]:
        """Decode and store a candidate's picture. The list is empty if no row is drawn."""
        self._times.enter(Step.DECODING)
        picture = self._tools.results.decode(
            work.job, index, work.drawing.candidates()[index], self._attempt.check
        )
        if picture is None:
            return []
        self._times.enter(Step.STORING)
        return [self._tools.results.store(self._attempt.claimed, index, picture)]

    def _stop(self, reason: StopReason) -> None:
        """End the attempt as requested. If that fails, the worker that claims the job next takes over."""
        if self._work is not None:
            self._work.drawing.cancel()
        try:
            match reason:
                case StopReason.LOST:
                    LOST_LEASES.inc()
                case StopReason.DRAIN:
                    self._hand_back("drain")
                case StopReason.CANCEL:
                    self._cancel()
                    self._log.tell(JobEvent.CANCELED)
                case _:
                    assert_never(reason)
        except TRANSIENT:
            logger.exception("could not hand back or cancel a job; its lease will run out")

    def _cancel(self) -> None:
        """Confirm the cancellation and save the drawn rows in one transaction; they are decoded later."""
        answer = self._undecoded_answer(self._work) if self._work else None

        self._haste.insist(lambda: self._tools.writes.confirm_cancel(self._attempt.lease, answer))
        self._tools.on_undecoded()

    def _undecoded_answer(self, work: Work) -> Answer:
        """The complete rows of every candidate, to be decoded later."""
        drawn = work.drawing.candidates()
        undecoded = [
            self._tools.results.undecoded(work.job, index, drawn[index]) for index in work.drawing.kept()
        ]
        found = [output for output in undecoded if output is not None]
        return answer_of([], work.drawing, self._tools.model, found)

    def _fail(self, error: Exception) -> None:
        reason = job_error(error)
        if is_outage(error) and (self._codes_are_committed or self._attempt.claimed.checkpoint is not None):
            self._wait_for_the_server(error, reason.code)
            return
        logger.error("attempt failed", exc_info=error, extra={"code": reason.code.value})

        try:
            self._haste.insist(lambda: self._tools.writes.fail(self._attempt.lease, reason))
        except (LeaseLostError, *TRANSIENT) as fault:
            logger.warning(
                "could not save a failure; the job's lease will run out", extra={"reason": words_of(fault)}
            )
            return
        self._log.tell(JobEvent.FAILED)

    def _wait_for_the_server(self, error: Exception, code: JobErrorCode) -> None:
        """Return a job with saved codes to the queue, because a server does not answer."""
        logger.warning(
            "a server does not answer; the job returns to the queue with its codes",
            extra={"code": code.value, "reason": words_of(error)},
        )
        try:
            self._hand_back(code.value, OUTAGE_PAUSE_SECONDS)
        except (LeaseLostError, *TRANSIENT) as fault:
            logger.warning(
                "could not return a job to the queue; its lease will run out",
                extra={"reason": words_of(fault)},
            )

    def _hand_back(self, reason: str, pause_seconds: float = 0.0) -> None:
        """Save the codes and queue the job again. It can be claimed after the pause."""
        drawing = self._work.drawing if self._work else None
        self._haste.insist(lambda: self._log.hand_back(drawing, reason, pause_seconds))
        self._log.tell(JobEvent.INTERRUPTED)


def usable_checkpoint(claimed: ClaimedJob, job: PreparedJob, numerics: str | None) -> TokenCheckpoint | None:
    """The checkpoint of an earlier attempt; None if it was made with another recipe or identity."""
    if claimed.checkpoint is None:
        return None
    if claimed.checkpoint_numerics not in (None, numerics):
        logger.warning(
            "the saved progress was made with numerics %s, this worker has %s: drawing from the start",
            claimed.checkpoint_numerics,
            numerics,
        )
        return None
    try:
        saved = TokenCheckpoint.from_bytes(claimed.checkpoint)
    except CheckpointFormatError as error:
        logger.warning(
            "the saved progress cannot be read: drawing from the start", extra={"reason": words_of(error)}
        )
        return None
    if saved.recipe != job.recipe.sha256 or len(saved.candidates) != job.recipe.candidates:
        logger.warning("the saved progress was made with another recipe: drawing from the start")
        return None
    return saved
