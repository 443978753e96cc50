"""The caller's side of a running request: the token stream, progress, cancel, result."""

from collections.abc import Iterator
from queue import SimpleQueue
from threading import Event

from services.worker.engine.errors import EngineError
from services.worker.engine.request import GenerationRequest, Progress, Status
from services.worker.engine.sequence_plan import SequencePlan


class Handle:
    """One submitted request. The engine's thread writes, any other thread may read.

    codes: everything drawn so far, resumed codes included; pass it as `resume_codes` to go on elsewhere.
    """

    def __init__(self, request: GenerationRequest) -> None:
        self.request = request
        self.status = Status.WAITING
        self.codes: tuple[int, ...] = request.resume_codes
        self.progress = Progress(len(self.codes), 0, 0, 0.0)
        self.plan: SequencePlan | None = None
        self.error: EngineError | None = None
        self._chunks: SimpleQueue[tuple[int, ...] | None] = SimpleQueue()
        self._cancel = Event()

    def cancel(self) -> None:
        """Ask the engine to stop between two steps; harmless when the request has ended."""
        self._cancel.set()

    @property
    def cancel_requested(self) -> bool:
        return self._cancel.is_set()

    @property
    def ended(self) -> bool:
        return self.status in {Status.FINISHED, Status.CANCELED, Status.FAILED}

    def chunks(self) -> Iterator[tuple[int, ...]]:
        """New codes as they are drawn, until the request ends; blocks while another thread steps.

        Raises the request's error when it failed.
        """
        while (chunk := self._chunks.get()) is not None:
            yield chunk
        if self.error is not None:
            raise self.error

    def result_codes(self) -> tuple[int, ...]:
        """Codes of the result panel, row by row. Raises EngineError unless the request is finished."""
        return self.finished_plan.result_codes(self._finished_tokens())

    def whole_codes(self) -> tuple[int, ...]:
        """Codes of the whole picture, given panel included. Raises EngineError unless finished."""
        return self.finished_plan.whole_codes(self._finished_tokens())

    @property
    def finished_plan(self) -> SequencePlan:
        """The plan that was drawn. Raises the request's error, or EngineError unless it is finished."""
        if self.error is not None:
            raise self.error
        if self.plan is None or self.status is not Status.FINISHED:
            raise EngineError(f"the request is {self.status}, its picture is not finished")
        return self.plan

    def _finished_tokens(self) -> list[int]:
        drawn = iter(self.codes)
        token_of_code = self.finished_plan.vocabulary.token_of_code
        return [token_of_code(next(drawn)) if token is None else token for token in self.finished_plan.tokens]

    def publish(self, fresh: tuple[int, ...], progress: Progress) -> None:
        """For the engine: codes drawn since the last time."""
        self.codes += fresh
        self.progress = progress
        if fresh:
            self._chunks.put(fresh)

    def end(self, status: Status, error: EngineError | None = None) -> None:
        """For the engine: nothing will follow."""
        self.status = status
        self.error = error
        self._chunks.put(None)
