"""Check on this machine that fused passes are batch-invariant, and time them."""

import time
from dataclasses import replace

import torch
from torch import Tensor

from services.worker.engine.fused.run.decoder import FusedDecoder
from services.worker.engine.model.config import ModelConfig
from services.worker.engine.model.kv_cache import CacheRun, KVCache, Segment, run_length
from services.worker.engine.row_shapes import ROW_COUNTS

POSITION = 200
"""Position of the probe row: it attends to an odd number of keys, more than one tile."""
TRIES = 3
ROOM = run_length(POSITION + ROW_COUNTS[-1])


@torch.inference_mode()
def try_passes(decoder: FusedDecoder, config: ModelConfig) -> tuple[bool, dict[int, float]]:
    """Whether passes are batch-invariant, and the seconds of a pass by its number of rows.

    A probe row must have the same bits alone, at the start of a window, and behind another stream. Only the
    first layer runs, on random keys and values; the seconds are multiplied by the number of layers.
    """
    layer = decoder.first_layer()
    generator = torch.Generator().manual_seed(0)
    one_layer = replace(config, num_hidden_layers=1)
    cache = KVCache(one_layer, 2 * ROOM, dtype=decoder.dtype, device=torch.device("cpu"))
    for pool in (cache.keys, cache.values):
        pool[0] = torch.randn(pool[0].shape, generator=generator)
    tokens = torch.randint(0, config.vocab_size, (ROW_COUNTS[-1],), generator=generator)
    own, other = CacheRun(0, ROOM), CacheRun(ROOM, ROOM)

    def window(count: int) -> Tensor:
        """Run the probe with the rows that follow it in its stream; returns the probe's output."""
        positions = torch.arange(POSITION, POSITION + count)
        return layer(tokens[:count], positions, cache, [Segment(0, count, POSITION, own)])[0]

    def behind(count: int) -> Tensor:
        """Run the probe behind a window of another stream; returns the probe's output."""
        rows = torch.cat((tokens[1:count], tokens[:1]))
        positions = torch.tensor([*range(count - 1), POSITION])
        segments = [Segment(0, count - 1, 0, other), Segment(count - 1, 1, POSITION, own)]
        return layer(rows, positions, cache, segments)[-1]

    alone = window(1)
    invariant, seconds = True, dict[int, float]()
    for count in ROW_COUNTS:
        invariant &= torch.equal(behind(count), alone)
        tries: list[float] = []
        for _ in range(TRIES):
            started = time.perf_counter()
            invariant &= torch.equal(window(count), alone)
            tries.append(time.perf_counter() - started)
        seconds[count] = min(tries) * decoder.shape.layers
    return invariant, seconds
