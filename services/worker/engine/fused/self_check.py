"""Prove on this machine that a row of a fused pass keeps its bits in any company, and time such passes."""

import time
from dataclasses import replace

import torch
from torch import Tensor

from services.worker.engine.config import ModelConfig
from services.worker.engine.fused.decoder import FusedDecoder
from services.worker.engine.kv_cache import CacheRun, KVCache, Segment, run_length
from services.worker.engine.row_shapes import ROW_COUNTS

POSITION = 200
"""Of the probe: an odd number of keys, more than one tile of them."""
TRIES = 3
ROOM = run_length(POSITION + ROW_COUNTS[-1])


@torch.inference_mode()
def try_passes(decoder: FusedDecoder, config: ModelConfig) -> tuple[bool, dict[int, float]]:
    """Whether a probe row has the same bits alone, in windows, and behind other streams; seconds by rows.

    The first layer is run, on keys of chance; the seconds are scaled to all layers.
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
        """The probe, and what follows it in its stream."""
        positions = torch.arange(POSITION, POSITION + count)
        return layer(tokens[:count], positions, cache, [Segment(0, count, POSITION, own)])[0]

    def behind(count: int) -> Tensor:
        """The probe behind a window of another stream."""
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
