"""Choose the tokens that each sequence computes in the next step.

First come, first served: a request is admitted when the pool has room for all its tokens, and the rows of a
step go to the sequences in order of arrival. A sequence after prefill decides at least one position and
verifies drafts. Prefill uses the rows that are left: all of them while nothing is drawn, otherwise as many as
`PrefillPace` allows.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from services.worker.engine.batch import Work
from services.worker.engine.errors import CapacityError
from services.worker.engine.model.kv_cache import KVCache
from services.worker.engine.prefill_pace import PrefillPace
from services.worker.engine.row_shapes import MAX_ROWS, ROW_COUNTS, padded_rows
from services.worker.engine.sequence import Sequence
from services.worker.engine.window import StepCosts, choose_window


class Scheduler:
    """The waiting and running sequences, and the pool that they share."""

    def __init__(
        self,
        cache: KVCache,
        *,
        max_sequences: int,
        max_rows: int = MAX_ROWS,
        window: int | None = None,
        costs: StepCosts | None = None,
        pace: PrefillPace | None = None,
        fewest_rows: int = ROW_COUNTS[0],
    ) -> None:
        """window: number of drafts in a pass, if they fit; None chooses it from measurements.

        costs: measured durations of passes. pace: limits prefill while pictures are drawn; None lets it use
        all rows that are left. fewest_rows: smallest number of rows of a pass, after padding.
        """
        self.cache = cache
        self.window = window
        self.max_sequences = max_sequences
        self.max_rows = min(max_rows, MAX_ROWS)
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self.costs = costs or StepCosts()
        self.pace = pace
        self._fewest_rows = fewest_rows

    def add(self, sequence: Sequence) -> None:
        """Add a sequence to the waiting ones. Raises CapacityError if it does not fit into an empty pool."""
        needed, owned = sum(sequence.run_lengths), self.cache.allocator.capacity
        if needed > owned:
            raise CapacityError(
                f"this request needs {needed} tokens of KV cache, the whole KV cache has {owned}"
            )
        self.waiting.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """Remove a waiting or running sequence and free its KV cache at once."""
        if sequence in self.running:
            self.running.remove(sequence)
            for stream in sequence.streams:
                self.cache.allocator.free(stream.run)
        else:
            self.waiting.remove(sequence)

    def schedule(self) -> list[Work]:
        """Admit waiting sequences, then distribute the rows of one step."""
        self._admit()
        drawing = [sequence for sequence in self.running if not sequence.reading]
        reading = [sequence for sequence in self.running if sequence.reading]
        if not drawing or not reading or self.pace is None:
            works = list(_share_rows([*drawing, *reading], self.max_rows))
            return self._widen(works, self.max_rows)
        most = self.max_rows - self.max_rows // RESERVED_PART
        works = self._widen(list(_share_rows(drawing, most)), most)
        rows = sum(work.rows for work in works)
        return [*works, *_share_rows(reading, self.pace.rows(rows, self.costs, self.max_rows))]

    def ran(self, drawing_rows: int, prompt_rows: int, seconds: float) -> None:
        """Record the duration of a pass. drawing_rows, prompt_rows: its rows of both kinds.

        Passes with both kinds are not recorded in `costs`, from which the number of drafts is chosen: rows of
        a long prompt take longer than drafts.
        """
        rows = drawing_rows + prompt_rows
        if not (drawing_rows and prompt_rows) or self.pace is None:
            self.costs.observe(padded_rows(rows, self._fewest_rows), seconds)
        if drawing_rows and self.pace is not None:
            self.pace.ran(drawing_rows, prompt_rows, seconds, self.costs)

    def _admit(self) -> None:
        while self.waiting and len(self.running) < self.max_sequences:
            runs = self.cache.allocator.allocate(self.waiting[0].run_lengths)
            if runs is None:
                return
            sequence = self.waiting.popleft()
            sequence.start(runs)
            self.running.append(sequence)

    def _widen(self, works: list[Work], most: int) -> list[Work]:
        """Add as many drafts as are worthwhile to the sequences that may speculate.

        most: largest number of rows of all works together.
        """
        drafting = [work for work in works if work.positions and work.sequence.request.speculative]
        if not drafting:
            return works

        def widened(drafts: int) -> list[Work]:
            return [_with_drafts(work, drafts) if work in drafting else work for work in works]

        def rows(drafts: int) -> int:
            return sum(work.rows for work in widened(drafts))

        if self.window is not None:
            fitting = (drafts for drafts in range(self.window, 0, -1) if rows(drafts) <= most)
            return widened(next(fitting, 0))
        drafts = choose_window(
            [work.sequence.acceptance for work in drafting],
            rows,
            self.costs,
            most,
        )
        return widened(drafts)


RESERVED_PART = 8
"""During prefill, 1 / this of the rows is reserved for prompts."""


def _share_rows(sequences: Iterable[Sequence], left: int) -> Iterator[Work]:
    """Work without drafts: decide one position, or continue prefill. left: rows to distribute."""
    for sequence in sequences:
        rows = sequence.rows_to(sequence.frontier)
        if rows <= left:
            yield Work(sequence, (sequence.frontier,) * len(sequence.streams), (sequence.frontier,))
            left -= rows
        elif left:
            yield Work(sequence, _read_on(sequence, left), ())
            return


def _with_drafts(work: Work, drafts: int) -> Work:
    """Extend the work of a sequence by drafts; the position after the last draft is decided too."""
    positions = work.sequence.window_positions(drafts)
    return Work(work.sequence, (positions[-1],) * len(work.ends), positions)


def _read_on(sequence: Sequence, rows: int) -> tuple[int, ...]:
    """Ends of the streams if prefill gets `rows` rows; the first stream takes them first.

    Each stream stops before the token before the frontier: the pass that decides the frontier needs the
    logits of that token.
    """
    ends: list[int] = []
    for stream in sequence.streams:
        count = max(0, min(rows, sequence.frontier - 1 - stream.computed))
        ends.append(stream.computed + count)
        rows -= count
    return tuple(ends)
