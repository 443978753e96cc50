"""How many drafts to verify in the next forward pass.

A wider pass settles more tokens and costs more time. Both are measured as the engine runs: how often a
draft turns out right, and what a pass of so many rows takes. Timing steers only the width, and the width
never changes a token.
"""

from collections.abc import Callable

from services.worker.engine.row_shapes import ROW_COUNTS, padded_rows

WINDOWS = (0, 1, 3, 7, 15, 31, 63)
"""Drafts behind the first undecided token. Zero is sequential decoding."""

OPTIMISM = 0.8
"""Acceptance assumed before anything was measured."""

SMOOTHING = 0.9
"""Weight of the past in running means of acceptance and of step times."""


class StepCosts:
    """Seconds of a forward pass by its padded rows; what was not measured is read off its neighbours."""

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    def observe(self, rows: int, seconds: float) -> None:
        """Take note of one pass of `rows` padded rows."""
        known = self._seconds.get(rows)
        self._seconds[rows] = seconds if known is None else SMOOTHING * known + (1 - SMOOTHING) * seconds

    def seconds(self, rows: int) -> float:
        """What a pass of `rows` rows should take; relative to one second while nothing is known."""
        rows = padded_rows(rows)
        if rows in self._seconds:
            return self._seconds[rows]
        smaller = [count for count in self._seconds if count < rows]
        if not smaller:
            return min(self._seconds.values(), default=1.0)
        # Until it is tried, assume that doubling the rows costs a fifth: cheap enough to be tried once.
        nearest = max(smaller)
        doublings = ROW_COUNTS.index(rows) - ROW_COUNTS.index(nearest)
        return self._seconds[nearest] * 1.2**doublings


class Acceptance:
    """Running estimate of how likely a draft is right, given that all before it were."""

    def __init__(self) -> None:
        self._right = OPTIMISM * 4
        self._tried = 4.0

    def observe(self, right: int, *, wrong: bool) -> None:
        """Take note of a window: `right` drafts held, then one failed or the window ended."""
        self._right = SMOOTHING * self._right + right
        self._tried = SMOOTHING * self._tried + right + wrong

    @property
    def rate(self) -> float:
        return self._right / self._tried

    def expected_tokens(self, drafts: int) -> float:
        """Tokens that one pass over `drafts` drafts settles: 1 + a + a^2 + ... + a^drafts."""
        rate = min(self.rate, 0.995)
        return (1 - rate ** (drafts + 1)) / (1 - rate)


def choose_window(
    acceptances: list[Acceptance], rows_of_window: Callable[[int], int], costs: StepCosts, max_rows: int
) -> int:
    """The number of drafts, the same for all sequences, that settles most tokens per second.

    rows_of_window: rows of the whole step when that many drafts are verified.
    """

    def tokens_per_second(window: int) -> float:
        tokens = sum(acceptance.expected_tokens(window) for acceptance in acceptances)
        return tokens / costs.seconds(rows_of_window(window))

    fitting = [window for window in WINDOWS if rows_of_window(window) <= max_rows]
    return max(fitting, key=tokens_per_second, default=0)
