"""How many drafts to verify in the next forward pass.

A wider pass settles more tokens and costs more time. Both are measured as the engine runs: how often a
draft turns out right, and what a pass of so many rows takes. Timing steers only the width, and the width
never changes a token.
"""

from collections.abc import Callable, Mapping

from services.worker.engine.row_shapes import padded_rows

WINDOWS = (0, 1, 3, 7, 15, 31, 63)
"""Drafts behind the first undecided token. Zero is sequential decoding."""

OPTIMISM = 0.6
"""Acceptance assumed before anything was measured."""

FIRST_REACH = 3
"""Drafts that a sequence tries before any has held, where nothing speaks for them."""

WORTH = 1.1
"""How much more must be expected of drafts than of none: estimates err, and a loss is felt at once."""

SMOOTHING = 0.9
"""Weight of the past in running means of acceptance and of step times."""


SHARED = 0.7
"""How much of a change of one pass's time is taken to concern passes of every width. Contexts grow and other
processes come: what was not run for a while would look cheap."""


class StepCosts:
    """Seconds of a forward pass by its padded rows: measured passes first, then the kernels' own times."""

    def __init__(self, kernel_seconds: Mapping[int, float] | None = None, fewest_rows: int = 2) -> None:
        """kernel_seconds: what all products of a pass took together at load time, by rows.

        fewest_rows: that a pass is padded to.
        """
        self._fewest = fewest_rows
        self._kernels = dict(kernel_seconds or {})
        self._observed: dict[int, float] = {}

    def observe(self, rows: int, seconds: float) -> None:
        """Take note of one pass of `rows` padded rows."""
        known = self._observed.get(rows)
        if known is None:
            self._observed[rows] = seconds
            return
        change = (1 - SMOOTHING) * (seconds / known - 1)
        for other in self._observed:
            self._observed[other] *= 1 + (change if other == rows else SHARED * change)

    def known(self, rows: int) -> bool:
        """Whether a pass of so many rows was seen, so that its time is no guess from the kernels' times."""
        return padded_rows(rows, self._fewest) in self._observed

    def seconds(self, rows: int) -> float:
        """What a pass of `rows` rows should take.

        A number of rows that was not tried yet costs what its kernels cost more than those of the nearest
        one that was, and no less than if all of a pass were kernels; with nothing to go by, as many seconds
        as it has rows.
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
        # kernels were timed in another moment: a difference alone could come out below nothing
        return max(observed + kernels - nearest_kernels, observed * min(1.0, kernels / nearest_kernels))


class Acceptance:
    """Running estimate of how likely a draft is right, given that all before it were.

    reach: the widest window that is worth a try. It doubles as drafts hold, so that a sequence whose drafts
    all fail has not paid for wide windows before this shows.
    """

    def __init__(self, reach: int = FIRST_REACH) -> None:
        self.reach = reach
        self._right = OPTIMISM * 4
        self._tried = 4.0

    def observe(self, right: int, *, wrong: bool) -> None:
        """Take note of a window: `right` drafts held, then one failed or the window ended."""
        self.reach = max(self.reach, 2 * right + 1)
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
    if not costs.known(rows_of_window(0)):  # what drafts are worth is told from sequential passes
        return 0
    reach = max(acceptance.reach for acceptance in acceptances)

    def tokens_per_second(window: int) -> float:
        tokens = sum(acceptance.expected_tokens(window) for acceptance in acceptances)
        return tokens / costs.seconds(rows_of_window(window))

    fitting = [window for window in WINDOWS if window <= reach and rows_of_window(window) <= max_rows]
    best = max(fitting, key=tokens_per_second, default=0)
    return best if tokens_per_second(best) > WORTH * tokens_per_second(0) else 0
