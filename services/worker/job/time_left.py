"""Estimate how long a drawing will still take. It reads no clock; the caller passes the time.

The speeds of prefill and of drawing are measured separately, each over a recent window. So a long prompt, or
the time before a resume, does not count for the codes, and changes of the batch neighbours show soon.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

SHORTEST_WINDOW, LONGEST_WINDOW = 20.0, 60.0
WINDOW_PART = 0.25
"""Length of the window: this part of all measured seconds, within the bounds above. A long window evens out
speculation, which comes in bursts; a short one soon shows a change of the batch neighbours."""
ENOUGH_SECONDS = 1.0
"""With less measured time than this, the guess is used instead."""


@dataclass(frozen=True)
class CandidateWork:
    """Work of one candidate in this attempt, in a unit that is proportional to time."""

    prefill_done: float
    prefill_total: float
    drawn: float
    drawn_total: float

    @property
    def prefilling(self) -> bool:
        return self.prefill_done < self.prefill_total

    @property
    def drawing(self) -> bool:
        return not self.prefilling and self.drawn < self.drawn_total


class Rate:
    """Work per second in a window of measured time."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[float, float]] = deque()
        self._seconds = 0.0
        self._work = 0.0
        self._measured = 0.0

    def add(self, seconds: float, work: float) -> None:
        """Add a measured interval and drop the intervals that are older than the window."""
        self._pieces.append((seconds, work))
        self._seconds += seconds
        self._work += work
        self._measured += seconds
        window = min(max(SHORTEST_WINDOW, WINDOW_PART * self._measured), LONGEST_WINDOW)
        while self._seconds - self._pieces[0][0] >= window:
            old_seconds, old_work = self._pieces.popleft()
            self._seconds -= old_seconds
            self._work -= old_work

    def per_second(self, guess: float | None = None) -> float | None:
        """Work per second, or the guess while too little is measured. None if neither is known."""
        if self._seconds < ENOUGH_SECONDS and guess is not None:
            return guess
        return self._work / self._seconds if self._work > 0 and self._seconds > 0 else guess


class TimeLeft:
    """Estimates the time left from the observed progress of a job's candidates."""

    def __init__(self, guess: float | None = None) -> None:
        """guess: drawing work per second of one candidate, used until it is measured."""
        self._guess = guess
        self._prefill = Rate()
        self._drawing = Rate()
        self._time: float | None = None
        self._states: Sequence[CandidateWork] = ()

    def observe(self, time: float, states: Sequence[CandidateWork]) -> None:
        """Record the candidates' progress. time: seconds of a monotonic clock."""
        if self._time is not None and time > self._time:
            self._measure(time - self._time, states)
        self._time, self._states = time, tuple(states)

    def _measure(self, seconds: float, states: Sequence[CandidateWork]) -> None:
        pairs = list(zip(self._states, states, strict=True))
        if any(before.prefilling for before, _ in pairs):
            self._prefill.add(
                seconds, sum(after.prefill_done - before.prefill_done for before, after in pairs)
            )
        drawing = [(before, after) for before, after in pairs if before.drawing]
        if drawing:
            drawn = sum(after.drawn - before.drawn for before, after in drawing)
            self._drawing.add(seconds, drawn / len(drawing))

    @property
    def drawn_per_second(self) -> float | None:
        """Drawing work per second of one candidate."""
        return self._drawing.per_second(self._guess)

    def seconds(self) -> float | None:
        """Seconds until the last candidate is drawn; None while there is no measurement."""
        prefill_left = sum(state.prefill_total - state.prefill_done for state in self._states)
        drawing_left = max((state.drawn_total - state.drawn for state in self._states), default=0.0)
        left = 0.0
        for work, speed in (
            (prefill_left, self._prefill.per_second()),
            (drawing_left, self.drawn_per_second),
        ):
            if work > 0:
                if not speed:
                    return None
                left += work / speed
        return left
