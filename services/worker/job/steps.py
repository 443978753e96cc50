"""Measure the time of each step of an attempt, for the log line "job done" and for its spans."""

import time
from collections.abc import Callable
from enum import StrEnum, unique

from opentelemetry.trace import INVALID_SPAN, Span

from shared.tracing.spans import mark_failed, start_leaf


@unique
class Step(StrEnum):
    """A step of an attempt. Steps are finer than `shared.jobs.Phase`, which clients see."""

    PREPARING = "preparing"
    GENERATING = "generating"
    SAVING = "saving"
    DECODING = "decoding"
    STORING = "storing"
    COMMITTING = "committing"


class StepTimes:
    """A clock for steps; the step that was entered last is running."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """clock: returns seconds that never go back."""
        self._clock = clock
        self._seconds: dict[Step, float] = {}
        self._step: Step | None = None
        self._since = clock()
        self.span: Span = INVALID_SPAN
        """The running step's span."""

    def enter(self, step: Step, name: str | None = None) -> None:
        """End the running step and begin another; a step may be entered more than once.

        name: the name of its span, if it is not the step's.
        """
        self.span.end()
        self.span = start_leaf(name or step.value)
        now = self._clock()
        if self._step is not None:
            self._seconds[self._step] = self._seconds.get(self._step, 0.0) + now - self._since
        self._step, self._since = step, now

    def end(self, error: BaseException | None = None) -> None:
        """End the running step. error: what ended it early."""
        if self._step is None:
            return
        self._seconds[self._step] = self._seconds.get(self._step, 0.0) + self._clock() - self._since
        self._step = None
        if error is not None:
            mark_failed(self.span, type(error).__name__)
        self.span.end()

    def milliseconds(self) -> dict[str, float]:
        """End the running step; return milliseconds by step, in the order of their first entry."""
        self.end()
        return {step.value: round(seconds * 1000, 2) for step, seconds in self._seconds.items()}
