"""The caller's handle of a request: code stream, progress, cancel, result."""

from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from threading import Event

from services.worker.engine.errors import EngineError
from services.worker.engine.layout.sequence_plan import SequencePlan
from services.worker.engine.request import GenerationRequest, Progress, Status


class Handle:
    """One submitted request. The engine's thread writes; any thread may read.

    codes: all codes drawn so far, including resumed ones; pass them as `resume_codes` to continue elsewhere.
    certainties: log p(conditional) in nats of each code drawn by this request, without resumed ones.
    error: the reason of a failure; set if and only if the status is FAILED.
    """

    def __init__(self, request: GenerationRequest) -> None:
        self.request = request
        self.status = Status.WAITING
        self.codes: tuple[int, ...] = request.resume_codes
        self.certainties: tuple[float, ...] = ()
        self.progress = Progress(len(self.codes), 0, 0, 0.0)
        self.plan: SequencePlan | None = None
        self.error: Exception | None = None
        self._chunks: SimpleQueue[tuple[int, ...] | None] = SimpleQueue()
        self._cancel = Event()

    def cancel(self) -> None:
        """Ask the engine to cancel the request before its next step; no effect on an ended request."""
        self._cancel.set()

    @property
    def cancel_requested(self) -> bool:
        return self._cancel.is_set()

    @property
    def ended(self) -> bool:
        return self.status in {Status.FINISHED, Status.CANCELED, Status.FAILED}

    def chunks(self) -> Iterator[tuple[int, ...]]:
        """Yield new codes as they are drawn, until the request ends; blocks until another thread steps.

        Raises the request's error if it failed.
        """
        while (chunk := self._chunks.get()) is not None:
            yield chunk
        self.raise_failure()

    def raise_failure(self) -> None:
        """Raise the request's error if it failed: an EngineError, or an error of PyTorch in its pass."""
        if self.error is not None:
            raise self.error

    def result_codes(self) -> tuple[int, ...]:
        """Codes of the result, row by row. Raises the errors of `finished_plan`."""
        return self.finished_plan.result_codes(self._finished_tokens())

    def whole_codes(self) -> tuple[int, ...]:
        """Codes of the whole picture, including the given panel. Raises the errors of `finished_plan`."""
        return self.finished_plan.whole_codes(self._finished_tokens())

    @property
    def finished_plan(self) -> SequencePlan:
        """The plan of a finished request. Raises the request's error, or EngineError before the end."""
        self.raise_failure()
        if self.plan is None or self.status is not Status.FINISHED:
            raise EngineError(f"the picture is not finished: the request is {self.status}")
        return self.plan

    def _finished_tokens(self) -> list[int]:
        drawn = iter(self.codes)
        token_of_code = self.finished_plan.vocabulary.token_of_code
        return [token_of_code(next(drawn)) if token is None else token for token in self.finished_plan.tokens]

    def publish(self, fresh: tuple[int, ...], certainties: Sequence[float], progress: Progress) -> None:
        """For the engine: add codes drawn since the last call, with their certainties."""
        self.codes += fresh
        self.certainties += tuple(certainties)
        self.progress = progress
        if fresh:
            self._chunks.put(fresh)

    def end(self, status: Status, error: Exception | None = None) -> None:
        """For the engine: end the request. error: the reason, for the status FAILED."""
        # set before the status, because a thread that sees FAILED reads the error
        self.error = error
        self.status = status
        self._chunks.put(None)
