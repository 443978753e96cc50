"""How long an attempt spends in each of its phases."""

import time


class PhaseTimes:
    """A clock with one hand: what runs is the phase that was entered last."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._phase: str | None = None
        self._since = time.perf_counter()

    def enter(self, phase: str) -> None:
        """End the phase that runs and begin another, perhaps again."""
        now = time.perf_counter()
        if self._phase is not None:
            self._seconds[self._phase] = self._seconds.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = phase, now

    def milliseconds(self) -> dict[str, float]:
        """Of every phase so far, the one that runs included, in the order of their first entries."""
        if self._phase is not None:
            self.enter(self._phase)
        return {phase: round(seconds * 1000, 2) for phase, seconds in self._seconds.items()}
