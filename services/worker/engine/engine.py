"""The engine: submit requests, step, and every running picture grows by at least one token.

`submit` and `cancel` may be called from any thread; one thread steps. A step packs the work of every
sequence into one forward pass: prompts being read, single tokens, windows of drafts, conditional and
unconditional rows alike. A row's logits are a function of its own prefix alone, bit for bit, so neither
the company a request had nor the way it was cut into steps can be seen in its picture.
"""

import time
from collections.abc import Sequence as Items
from dataclasses import dataclass
from threading import Condition

import torch
from torch import Tensor

from services.worker.engine.batch import Work, forward, pack
from services.worker.engine.drawing import draw, fill_drafts
from services.worker.engine.errors import EngineError
from services.worker.engine.handle import Handle
from services.worker.engine.header import draw_header
from services.worker.engine.kv_cache import KVCache
from services.worker.engine.loading import LoadedModel
from services.worker.engine.request import GenerationRequest, Progress, Status
from services.worker.engine.row_shapes import MAX_ROWS, padded_rows
from services.worker.engine.scheduler import Scheduler
from services.worker.engine.sequence import Sequence
from services.worker.engine.sequence_plan import SequencePlan


@dataclass(frozen=True)
class EngineOptions:
    """Sizes of the engine.

    kv_cache_tokens: tokens of all streams together. max_sequences: pictures drawn at the same time.
    max_rows: rows of one pass. window: drafts of every pass, instead of the measured best.
    """

    kv_cache_tokens: int = 65_536
    max_sequences: int = 16
    max_rows: int = MAX_ROWS
    window: int | None = None


class Engine:
    """Continuous batching over one loaded model."""

    def __init__(self, loaded: LoadedModel, options: EngineOptions | None = None) -> None:
        options = options or EngineOptions()
        self.loaded = loaded
        self.model = loaded.model
        self.image_ids = loaded.image_ids
        self.cache = KVCache(
            loaded.config, options.kv_cache_tokens, dtype=loaded.precision.dtype, device=loaded.device
        )
        self.scheduler = Scheduler(
            self.cache,
            max_sequences=options.max_sequences,
            max_rows=options.max_rows,
            window=options.window,
            costs=loaded.step_costs,
        )
        self._handles: dict[Sequence, Handle] = {}
        self._arrived = Condition()

    def submit(self, request: GenerationRequest) -> Handle:
        """Put a request in line; it runs when its turn comes and its KV cache fits.

        Raises CapacityError when it can never fit, GrammarError for resumed codes that are none of this
        model's or more than the picture has.
        """
        handle = Handle(request)
        sequence = Sequence(request, self._closed_plan(request), self.image_ids)
        handle.plan = sequence.plan
        self._publish(sequence, handle)
        if sequence.finished:
            handle.end(Status.FINISHED)
            return handle
        with self._arrived:
            self.scheduler.add(sequence)
            self._handles[sequence] = handle
            self._arrived.notify_all()
        return handle

    def wait_for_work(self, timeout: float | None = None) -> bool:
        """Block until a request is there, at most `timeout` seconds; False when none came."""
        with self._arrived:
            return self._arrived.wait_for(lambda: bool(self._handles), timeout)

    def run_until_idle(self) -> None:
        """Step until every submitted request has ended."""
        while self.step():
            pass

    @torch.inference_mode()
    def step(self) -> bool:
        """Run one forward pass over what is due. False when there is nothing to do.

        An error of the pass itself, such as the device running out of memory, is raised; the sequences keep
        what they had and may be stepped again or canceled.
        """
        with self._arrived:
            self._drop_canceled()
            works = self.scheduler.schedule()
            for sequence in self.scheduler.running:
                self._handles[sequence].status = Status.RUNNING
        if not works:
            return False
        started = time.perf_counter()
        rows = self._run(works)
        self.scheduler.costs.observe(rows, time.perf_counter() - started)
        for work in works:
            self._publish(work.sequence, self._handles[work.sequence])
            if work.sequence.finished:
                self._end(work.sequence, Status.FINISHED)
        return True

    def _run(self, works: Items[Work]) -> int:
        """Compute and decide; returns the padded rows of the pass."""
        fill_drafts(works)
        packed = pack(works)
        hidden = forward(self.model, self.cache, packed)
        for work in works:
            work.sequence.computed_to(work.ends)
        if packed.logit_rows:
            self._decide(works, self.model.image_logits(hidden, self.image_ids))
        return padded_rows(len(packed.token_ids), self.model.fewest_rows)

    def _decide(self, works: Items[Work], logits: Tensor) -> None:
        """Settle tokens. logits: [padded rows, codes], in the order of `PackedRows.logit_rows`."""
        deciding = [work for work in works if work.positions]
        for work, drawn in zip(deciding, draw(deciding, logits), strict=True):
            work.sequence.settle_window(work.positions, drawn.tokens, drawn.gains)

    def _closed_plan(self, request: GenerationRequest) -> SequencePlan:
        plan = request.plan
        return plan if isinstance(plan, SequencePlan) else draw_header(self.loaded, request, plan)

    def _drop_canceled(self) -> None:
        for sequence, handle in list(self._handles.items()):
            if handle.cancel_requested:
                self._end(sequence, Status.CANCELED)

    def _end(self, sequence: Sequence, status: Status) -> None:
        with self._arrived:
            self.scheduler.remove(sequence)
            self._handles.pop(sequence).end(status)

    @staticmethod
    def _publish(sequence: Sequence, handle: Handle) -> None:
        progress = Progress(sequence.drawn, len(sequence.free), sequence.forward_passes, sequence.score)
        handle.publish(sequence.codes_from(len(handle.codes)), progress)


def kv_cache_tokens(loaded: LoadedModel, request: GenerationRequest) -> int:
    """Tokens of KV cache that one request occupies; the plan must say the picture's size."""
    plan = request.plan if isinstance(request.plan, SequencePlan) else request.plan.plan
    if plan is None:
        raise EngineError("the size of this picture is not known before it is drawn")
    return sum(Sequence(request, plan, loaded.image_ids).run_lengths)
