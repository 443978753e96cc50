"""How often one caller may have a picture checked. Every gateway process counts for itself."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from services.api.problems.codes import Problem, ProblemCode

MINUTE = 60.0
MOST_CALLERS = 10_000
"""Callers that are remembered; the one that was silent for the longest time is forgotten first."""


class CheckPace:
    """A token bucket for each caller: `per_minute` checks at once, then one each part of a minute."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        """Checks that are left, and the time at which they were counted, by caller."""

    def take(self, caller: Hashable) -> None:
        """Count a check. Raises Problem if the caller has none left."""
        now = self._clock()
        left, since = self._buckets.pop(caller, (float(self._per_minute), now))
        left = min(float(self._per_minute), left + (now - since) * self._per_minute / MINUTE)
        allowed = left >= 1
        self._buckets[caller] = (left - 1 if allowed else left, now)
        if len(self._buckets) > MOST_CALLERS:
            self._buckets.popitem(last=False)
        if not allowed:
            seconds = (1 - left) * MINUTE / self._per_minute
            raise Problem(
                ProblemCode.TOO_MANY_CHECKS,
                f"More than {self._per_minute} pictures a minute were checked.",
                headers={"Retry-After": str(int(seconds) + 1)},
            )
