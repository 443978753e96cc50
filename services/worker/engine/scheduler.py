"""Which tokens each sequence computes in the next step.

First come, first served: a request is admitted when the pool holds all it can ever need, and the rows of a
step go to the sequences in the order of their arrival. Those whose prompt is read decide at least one
position; what rows are left read prompts, then verify drafts.
"""

from collections import deque
from collections.abc import Iterator

from services.worker.engine.batch import Work
from services.worker.engine.errors import CapacityError
from services.worker.engine.kv_cache import KVCache
from services.worker.engine.row_shapes import MAX_ROWS
from services.worker.engine.sequence import Sequence
from services.worker.engine.window import StepCosts, choose_window


class Scheduler:
    """The waiting line, the running sequences, and the pool they share."""

    def __init__(
        self,
        cache: KVCache,
        *,
        max_sequences: int,
        max_rows: int = MAX_ROWS,
        window: int | None = None,
        costs: StepCosts | None = None,
    ) -> None:
        """window: drafts of a pass where its rows allow; None measures which pay. costs: what passes take."""
        self.cache = cache
        self.window = window
        self.max_sequences = max_sequences
        self.max_rows = min(max_rows, MAX_ROWS)
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self.costs = costs or StepCosts()

    def add(self, sequence: Sequence) -> None:
        """Put a sequence in line. Raises CapacityError when even an empty pool could not hold it."""
        needed, owned = sum(sequence.run_lengths), self.cache.allocator.capacity
        if needed > owned:
            raise CapacityError(
                f"this request needs {needed} tokens of KV cache, the engine owns {owned} in all"
            )
        self.waiting.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """Take a sequence out, wherever it is, and free its cache at once."""
        if sequence in self.running:
            self.running.remove(sequence)
            for stream in sequence.streams:
                self.cache.allocator.free(stream.run)
        else:
            self.waiting.remove(sequence)

    def schedule(self) -> list[Work]:
        """Admit what fits, then share out the rows of one step."""
        self._admit()
        works = list(self._share_rows())
        return self._widen(works)

    def _admit(self) -> None:
        while self.waiting and len(self.running) < self.max_sequences:
            runs = self.cache.allocator.allocate(self.waiting[0].run_lengths)
            if runs is None:
                return
            sequence = self.waiting.popleft()
            sequence.start(runs)
            self.running.append(sequence)

    def _share_rows(self) -> Iterator[Work]:
        """Sequential work: decide one position, or read on in the prompt as far as the rows last."""
        left = self.max_rows
        for sequence in self._deciding_first():
            rows = sequence.rows_to(sequence.frontier)
            if rows <= left:
                yield Work(sequence, (sequence.frontier,) * len(sequence.streams), (sequence.frontier,))
                left -= rows
            elif left:
                yield Work(sequence, _read_on(sequence, left), ())
                return

    def _deciding_first(self) -> list[Sequence]:
        """Sequences that need few rows go first, so that a long prompt does not hold them up."""
        return sorted(self.running, key=lambda sequence: sequence.rows_to(sequence.frontier) > _FEW_ROWS)

    def _widen(self, works: list[Work]) -> list[Work]:
        """Add the drafts that pay on this machine to the sequences that may speculate."""
        drafting = [work for work in works if work.positions and work.sequence.request.speculative]
        if not drafting:
            return works

        def widened(drafts: int) -> list[Work]:
            return [_with_drafts(work, drafts) if work in drafting else work for work in works]

        def rows(drafts: int) -> int:
            return sum(work.rows for work in widened(drafts))

        if self.window is not None:
            fitting = (drafts for drafts in range(self.window, 0, -1) if rows(drafts) <= self.max_rows)
            return widened(next(fitting, 0))
        drafts = choose_window(
            [work.sequence.acceptance for work in drafting],
            rows,
            self.costs,
            self.max_rows,
        )
        return widened(drafts)


_FEW_ROWS = 16
"""More rows than any step behind the prompt needs to decide one position."""


def _with_drafts(work: Work, drafts: int) -> Work:
    """Extend the work of a sequence to the position behind its last draft."""
    positions = work.sequence.window_positions(drafts)
    return Work(work.sequence, (positions[-1],) * len(work.ends), positions)


def _read_on(sequence: Sequence, rows: int) -> tuple[int, ...]:
    """Ends of the streams when `rows` rows are left: the first stream reads first.

    Each leaves the token before the frontier to the pass that decides it and needs its logits.
    """
    ends: list[int] = []
    for stream in sequence.streams:
        count = max(0, min(rows, sequence.frontier - 1 - stream.computed))
        ends.append(stream.computed + count)
        rows -= count
    return tuple(ends)
