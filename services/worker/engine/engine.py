"""The engine: submit requests, call `step`, and every running picture gains at least one token.

`submit` and `cancel` may be called from any thread; one thread calls `step`. A step packs the work of all
sequences into one forward pass: prompts, single tokens and drafts, conditional and unconditional rows. The
bits of a row's logits depend only on its own prefix, so a picture depends neither on batch neighbours nor on
how its rows were split into steps.
"""

import time
from collections.abc import Sequence as Items
from dataclasses import dataclass
from threading import Condition
from traceback import clear_frames

import torch
from torch import Tensor

from services.worker.engine.batch import Work, forward, pack
from services.worker.engine.deciding import draw, fill_drafts
from services.worker.engine.errors import EngineError
from services.worker.engine.handle import Handle
from services.worker.engine.header import draw_header
from services.worker.engine.layout.sequence_plan import SequencePlan
from services.worker.engine.loading.load import LoadedModel
from services.worker.engine.model.kv_cache import KVCache
from services.worker.engine.prefill_pace import PrefillPace
from services.worker.engine.request import GenerationRequest, Progress, Status
from services.worker.engine.row_shapes import MAX_ROWS
from services.worker.engine.scheduler import Scheduler
from services.worker.engine.sequence import Sequence

PASS_ERRORS = (EngineError, RuntimeError, MemoryError)
"""Errors that end only the requests of a pass: NaN logits, or a device that is out of memory."""


@dataclass(frozen=True)
class EngineOptions:
    """Sizes of the engine.

    kv_cache_tokens: tokens of all streams together. max_sequences: pictures drawn at the same time.
    max_rows: rows of one pass. window: number of drafts in every pass; None chooses the best from
    measurements, or no drafts if the kernels are not batch-invariant.
    decode_share: share of their speed that pictures keep during the prefill of others.
    code_interval_seconds: longest time between two codes of a picture during the prefill of others.
    """

    kv_cache_tokens: int = 65_536
    max_sequences: int = 16
    max_rows: int = MAX_ROWS
    window: int | None = None
    decode_share: float = 0.75
    code_interval_seconds: float = 0.5


class Engine:
    """Continuous batching over one loaded model."""

    def __init__(self, loaded: LoadedModel, options: EngineOptions | None = None) -> None:
        options = options or EngineOptions()
        # timing may choose rows and drafts only if neither changes a bit
        invariant = loaded.capabilities.batch_invariant
        pace = PrefillPace(options.decode_share, options.code_interval_seconds, loaded.model.fewest_rows)
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
            window=options.window if invariant or options.window is not None else 0,
            costs=loaded.step_costs,
            pace=pace if invariant else None,
            fewest_rows=loaded.model.fewest_rows,
        )
        self._handles: dict[Sequence, Handle] = {}
        self._arrived = Condition()

    def submit(self, request: GenerationRequest) -> Handle:
        """Queue a request; it starts in order of arrival, as soon as its KV cache fits.

        Raises CapacityError if it does not fit into an empty cache, GrammarError for resumed codes that this
        model does not have or that are more than the picture's.
        """
        handle = Handle(request)
        sequence = Sequence(request, self._closed_plan(request), self.image_ids, self.loaded.noise_secret)
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
        """Block until there is a request, at most `timeout` seconds; returns False if there is none."""
        with self._arrived:
            return self._arrived.wait_for(lambda: bool(self._handles), timeout)

    def run_until_idle(self) -> None:
        """Step until all submitted requests have ended; their handles have the results."""
        while self.step():
            pass

    @torch.inference_mode()
    def step(self) -> bool:
        """Run one forward pass. Returns False if there is nothing to do.

        An error of the pass, such as a device that is out of memory, ends the requests that were in it: their
        handles have the error, and keep the codes that were drawn before. Other requests continue.
        """
        with self._arrived:
            self._drop_canceled()
            works = self.scheduler.schedule()
            for sequence in self.scheduler.running:
                self._handles[sequence].status = Status.RUNNING
        if not works:
            return False
        started = time.perf_counter()
        drawing_rows = sum(work.rows for work in works if not work.sequence.reading)
        prompt_rows = sum(work.rows for work in works) - drawing_rows
        try:
            self._run(works)
        except PASS_ERRORS as error:
            self._fail(works, error)
            return True
        self.scheduler.ran(drawing_rows, prompt_rows, time.perf_counter() - started)
        for work in works:
            self._publish(work.sequence, self._handles[work.sequence])
            if work.sequence.finished:
                self._end(work.sequence, Status.FINISHED)
        return True

    def _run(self, works: Items[Work]) -> None:
        """Run the pass and settle its tokens."""
        fill_drafts(works)
        packed = pack(works)
        hidden = forward(self.model, self.cache, packed)
        for work in works:
            work.sequence.computed_to(work.ends)
        if packed.logit_rows:
            self._decide(works, self.model.image_logits(hidden, self.image_ids))

    def _decide(self, works: Items[Work], logits: Tensor) -> None:
        """Settle tokens. logits: [padded rows, codes], in the order of `PackedRows.logit_rows`."""
        deciding = [work for work in works if work.positions]
        for work, drawn in zip(deciding, draw(deciding, logits), strict=True):
            work.sequence.settle_window(work.positions, drawn)

    def _closed_plan(self, request: GenerationRequest) -> SequencePlan:
        plan = request.plan
        return plan if isinstance(plan, SequencePlan) else draw_header(self.loaded, request, plan)

    def _drop_canceled(self) -> None:
        for sequence, handle in list(self._handles.items()):
            if handle.cancel_requested:
                self._end(sequence, Status.CANCELED)

    def _fail(self, works: Items[Work], error: Exception) -> None:
        # handles keep the error, whose frames would keep the tensors of the pass in memory
        clear_frames(error.__traceback__)
        for work in works:
            self._end(work.sequence, Status.FAILED, error)
        if self.loaded.device.type == "cuda":
            torch.cuda.empty_cache()

    def _end(self, sequence: Sequence, status: Status, error: Exception | None = None) -> None:
        with self._arrived:
            self.scheduler.remove(sequence)
            self._handles.pop(sequence).end(status, error)

    @staticmethod
    def _publish(sequence: Sequence, handle: Handle) -> None:
        progress = Progress(
            sequence.drawn,
            len(sequence.free),
            sequence.forward_passes,
            sequence.score,
            sequence.prefill_rows_done,
            sequence.prefill_rows,
        )
        fresh = sequence.codes_from(len(handle.codes))
        handle.publish(fresh, sequence.certainties[len(handle.certainties) :], progress)


def kv_cache_tokens(loaded: LoadedModel, request: GenerationRequest) -> int:
    """Tokens of KV cache that one request occupies. Raises EngineError if its size is not known yet."""
    plan = request.plan if isinstance(request.plan, SequencePlan) else request.plan.plan
    if plan is None:
        raise EngineError("the size of this picture is not known yet: the model draws it")
    return sum(Sequence(request, plan, loaded.image_ids).run_lengths)
