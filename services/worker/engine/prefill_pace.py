"""Choose the number of prompt rows in a pass while other pictures are being drawn.

Prefill slows down other pictures: a pass with prompt rows takes longer than one without. Each pass that draws
earns a credit in seconds, and the time that prompt rows add to a pass is paid from it, so pictures keep a
fixed share of their speed however long a prompt is. Timing decides only the number of rows, and that number
does not change any result.
"""

from services.worker.engine.row_shapes import ROW_COUNTS, padded_rows
from services.worker.engine.window import SHARED, StepCosts

SMOOTHING = 0.7
"""Weight of the past in the running means of the cost of prompt rows; less than for other passes, because the
cost grows during prefill."""

DECODE_ONLY_EVERY = 16
"""One of this many passes has no prompt rows, so that the time of drawing alone stays up to date."""

REMEMBERED_PASSES = 256
"""Number of passes after which a measured cost is forgotten, so that this number of rows is tried again."""

OPTIMISM = 0.8
"""Factor on the expected cost of a number of rows that was never measured, so that it is tried."""

MOST_DEBT = 16
"""Largest debt in passes: after a very slow pass, prefill continues after this number of passes."""


class PrefillPace:
    """Chooses the number of prompt rows in a pass from measured times."""

    def __init__(
        self, decode_share: float, interval_seconds: float, fewest_rows: int = ROW_COUNTS[0]
    ) -> None:
        """decode_share: share of their speed that pictures keep during prefill, between 0 and 1.

        interval_seconds: longest pass with prompt rows, that is, the time between two codes. If even the
        smallest number of rows takes more than half of it, the limit is twice that time.
        fewest_rows: smallest number of rows of a pass, after padding.
        """
        self._earning = 1 / decode_share - 1
        self._interval = interval_seconds
        self._fewest = fewest_rows
        self._extra: dict[int, tuple[float, int]] = {}
        self._credit = 0.0
        self._price = 0.0
        self._passes = 0

    def rows(self, drawing_rows: int, costs: StepCosts, max_rows: int) -> int:
        """Number of prompt rows for a pass with `drawing_rows` other rows; 0 if the credit is too small.

        Together they are one of ROW_COUNTS, or `max_rows`.
        """
        if not costs.known(drawing_rows) or (self._passes + 1) % DECODE_ONLY_EVERY == 0:
            return 0
        sizes = [size for size in ROW_COUNTS if drawing_rows < min(size, max_rows) and size // 2 < max_rows]
        if not sizes:
            return 0
        sizes = [size for size in sizes if size <= 2 * max([*self._extra, sizes[0]])]  # one step at a time
        alone = costs.seconds(drawing_rows)
        extra = {size: self._extra_seconds(size, drawing_rows, costs) for size in sizes}
        limit = max(self._interval, 2 * (alone + min(extra.values())))
        earned = alone * self._earning

        def rows_per_second(size: int) -> float:
            return (min(size, max_rows) - drawing_rows) / max(extra[size], earned)

        best = max((size for size in sizes if alone + extra[size] <= limit), key=rows_per_second)
        self._price = extra[best]
        return min(best, max_rows) - drawing_rows if self._credit >= self._price else 0

    def ran(self, drawing_rows: int, prompt_rows: int, seconds: float, costs: StepCosts) -> None:
        """Record a pass that drew. seconds: duration of the whole pass."""
        self._passes += 1
        alone = costs.seconds(drawing_rows)
        earned = alone * self._earning
        self._credit += earned
        if prompt_rows:
            paid = max(0.0, seconds - alone)
            self._credit -= paid
            self._remember(padded_rows(drawing_rows + prompt_rows, self._fewest), paid)
        self._credit = min(max(self._credit, -MOST_DEBT * earned), max(self._price, earned))

    def _extra_seconds(self, size: int, drawing_rows: int, costs: StepCosts) -> float:
        """Estimated seconds that a pass of `size` rows takes in addition to one that only draws.

        A size that was not measured is estimated from the nearest measured one. If that was cheaper than
        expected, the estimate is reduced in proportion. If it was more expensive, the estimate is raised by
        the same number of seconds, because the extra cost (reading the keys and values of a long prompt) is
        the same for any number of rows.
        """
        known = {rows: extra for rows, (extra, _) in self._extra.items()}
        if size in known:
            return known[size]
        expected = self._expected_seconds(size, drawing_rows, costs)
        doubt = 1.0 if costs.known(size) else OPTIMISM
        if not known:
            return doubt * expected
        nearest = min(known, key=lambda rows: abs(rows - size))
        expected_of_nearest = self._expected_seconds(nearest, drawing_rows, costs)
        if known[nearest] >= expected_of_nearest:
            return doubt * expected + known[nearest] - expected_of_nearest
        return expected if costs.known(size) else doubt * expected * known[nearest] / expected_of_nearest

    def _expected_seconds(self, size: int, drawing_rows: int, costs: StepCosts) -> float:
        """Estimate from passes without prompt rows; for an unknown size at most in proportion to the rows."""
        alone = costs.seconds(drawing_rows)
        expected = costs.seconds(size) - alone
        if not costs.known(size):
            expected = min(expected, alone * (size / padded_rows(drawing_rows, self._fewest) - 1))
        return max(0.0, expected)

    def _remember(self, size: int, paid: float) -> None:
        before = self._extra.get(size)
        change = paid if before is None else before[0] + (1 - SMOOTHING) * (paid - before[0])
        if before is not None and before[0] > 0:
            # a longer prompt makes every number of rows more expensive
            factor = 1 + SHARED * (change / before[0] - 1)
            self._extra = {rows: (extra * factor, seen) for rows, (extra, seen) in self._extra.items()}
        self._extra[size] = change, self._passes
        self._extra = {
            rows: (extra, seen)
            for rows, (extra, seen) in self._extra.items()
            if self._passes - seen < REMEMBERED_PASSES
        }
