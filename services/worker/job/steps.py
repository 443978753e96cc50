"""Measure the time of each step of an attempt, for the log line "job done"."""

import time
from collections.abc import Callable
from enum import StrEnum, unique


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

    def enter(self, step: Step) -> None:
        """End the running step and begin another; a step may be entered more than once."""
        now = self._clock()
        if self._step is not None:
            self._seconds[self._step] = self._seconds.get(self._step, 0.0) + now - self._since
        self._step, self._since = step, now

    def milliseconds(self) -> dict[str, float]:
        """Milliseconds by step, with the running one, in the order in which they were first entered."""
        if self._step is not None:
            self.enter(self._step)
        return {step.value: round(seconds * 1000, 2) for step, seconds in self._seconds.items()}
