"""Choose the number of drafts to verify in the next forward pass.

A pass with more drafts settles more tokens and takes longer. The engine measures both while it runs: how
often drafts are right, and the duration of passes by their number of rows. Timing decides only the number of
drafts, and that number never changes a token.
"""

from collections.abc import Callable, Mapping

from services.worker.engine.row_shapes import padded_rows

WINDOWS = (0, 1, 3, 7, 15, 31, 63)
"""Numbers of drafts to choose from. 0 is sequential decoding."""

OPTIMISM = 0.6
"""Acceptance rate that is assumed at first."""

FIRST_REACH = 3
"""Largest number of drafts until the first ones were right, unless they come from a given panel."""

WORTH = 1.1
"""Drafts are used only if they are expected to be faster by this factor, because estimates have errors."""

SMOOTHING = 0.9
"""Weight of the past in running means of acceptance and of step times."""


SHARED = 0.7
"""Share of a change of a pass's duration that is applied to all numbers of rows. Contexts grow and other
processes start, so an old measurement would be too low."""


class StepCosts:
    """Duration of a forward pass by its padded rows, from measured passes or the times of its kernels."""

    def __init__(self, kernel_seconds: Mapping[int, float] | None = None, fewest_rows: int = 2) -> None:
        """kernel_seconds: total time of all matrix products of a pass, measured while loading, by rows.

        fewest_rows: smallest number of rows of a pass, after padding.
        """
        self._fewest = fewest_rows
        self._kernels = dict(kernel_seconds or {})
        self._observed: dict[int, float] = {}

    def observe(self, rows: int, seconds: float) -> None:
        """Record a pass of `rows` padded rows."""
        known = self._observed.get(rows)
        if known is None:
            self._observed[rows] = seconds
            return
        change = (1 - SMOOTHING) * (seconds / known - 1)
        for other in self._observed:
            self._observed[other] *= 1 + (change if other == rows else SHARED * change)

    def known(self, rows: int) -> bool:
        """Whether a pass of this number of rows, after padding, was measured."""
        return padded_rows(rows, self._fewest) in self._observed

    def expected_seconds(self, rows: int) -> float | None:
        """Like `seconds`, but None until a pass was measured."""
        return self.seconds(rows) if self._observed else None

    def seconds(self, rows: int) -> float:
        """Estimated duration of a pass of `rows` rows.

        An unmeasured number of rows is estimated from the nearest measured one plus the difference of their
        kernel times, but not less than in proportion to the kernel times. Without any measurement the
        estimate is the kernel time or, if that is unknown too, the number of rows.
        """
        rows = padded_rows(rows, self._fewest)
        if rows in self._observed:
            return self._observed[rows]
        kernels = self._kernels.get(rows, float(rows))
        if not self._observed:
            return kernels
        nearest = min(self._observed, key=lambda tried: abs(tried - rows))
        nearest_kernels = self._kernels.get(nearest, float(nearest))
        observed = self._observed[nearest]
        # kernels were timed at another moment, so the sum alone could be negative
        return max(observed + kernels - nearest_kernels, observed * min(1.0, kernels / nearest_kernels))


class Acceptance:
    """Running estimate of the probability that a draft is right, given that all before it were.

    reach: the largest number of drafts to try. It doubles while drafts are right, so that a sequence whose
    drafts all fail does not start with wide windows.
    """

    def __init__(self, reach: int = FIRST_REACH) -> None:
        self.reach = reach
        self._right = OPTIMISM * 4
        self._tried = 4.0

    def observe(self, right: int, *, wrong: bool) -> None:
        """Record a window of drafts: the first `right` were right, then one was wrong or the window ended."""
        self.reach = max(self.reach, 2 * right + 1)
        self._right = SMOOTHING * self._right + right
        self._tried = SMOOTHING * self._tried + right + wrong

    @property
    def rate(self) -> float:
        return self._right / self._tried

    def expected_tokens(self, drafts: int) -> float:
        """Expected number of tokens that a pass settles: 1 + a + a^2 + ... + a^drafts."""
        rate = min(self.rate, 0.995)
        return (1 - rate ** (drafts + 1)) / (1 - rate)


def choose_window(
    acceptances: list[Acceptance], rows_of_window: Callable[[int], int], costs: StepCosts, max_rows: int
) -> int:
    """The number of drafts, the same for all sequences, that settles most tokens per second.

    rows_of_window: number of rows of the whole step, given the number of drafts.
    """
    if not costs.known(rows_of_window(0)):  # measure sequential decoding first, to compare with it
        return 0
    reach = max(acceptance.reach for acceptance in acceptances)

    def tokens_per_second(window: int) -> float:
        tokens = sum(acceptance.expected_tokens(window) for acceptance in acceptances)
        return tokens / costs.seconds(rows_of_window(window))

    fitting = [window for window in WINDOWS if window <= reach and rows_of_window(window) <= max_rows]
    best = max(fitting, key=tokens_per_second, default=0)
    return best if tokens_per_second(best) > WORTH * tokens_per_second(0) else 0
