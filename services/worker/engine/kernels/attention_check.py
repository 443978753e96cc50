"""Check that attention is batch-invariant, with the head counts and sizes of the model."""

from dataclasses import replace

import torch
from torch import Tensor

from services.worker.engine.model.attention import one_order_of_sums
from services.worker.engine.model.config import ModelConfig
from services.worker.engine.model.flash_attention import make_attention
from services.worker.engine.model.kv_cache import CacheRun, KVCache, Segment, run_length
from services.worker.engine.row_shapes import MAX_ROWS, QUERY_TILES

POSITIONS = (1, 200, 700)
"""Positions of the query that is checked: few keys and many, none at the edge of an extent."""

STREAM = run_length(POSITIONS[-1] + QUERY_TILES[-1])
"""Tokens in the pool for each of the two streams."""


@torch.inference_mode()
def variant_attention(config: ModelConfig, dtype: torch.dtype, device: torch.device) -> list[str]:
    """Check attention at all POSITIONS; returns "BACKEND at POSITION" where it is not batch-invariant."""
    check = _AttentionCheck(config, dtype, device)
    return [f"{check.name} at {position}" for position in POSITIONS if not check.holds_at(position)]


class _AttentionCheck:
    """Two streams of random keys in one layer: the one that is checked, and its batch neighbour."""

    def __init__(self, config: ModelConfig, dtype: torch.dtype, device: torch.device) -> None:
        one_layer = replace(config, num_hidden_layers=1)
        self.cache = KVCache(one_layer, 2 * STREAM, dtype=dtype, device=device)
        self.runs = CacheRun(0, STREAM), CacheRun(STREAM, STREAM)
        generator = torch.Generator().manual_seed(0)

        def random(rows: int, heads: int) -> Tensor:
            noise = torch.randn(rows, heads, config.head_dim, generator=generator)
            return noise.to(device=device, dtype=dtype)

        for pool in (self.cache.keys, self.cache.values):
            pool[0] = random(2 * STREAM, config.num_key_value_heads).transpose(0, 1)
        self.queries = random(MAX_ROWS, config.num_attention_heads)
        self.name = type(self._attention([Segment(0, 1, 0, self.runs[0])])).__name__

    def holds_at(self, position: int) -> bool:
        """Whether a query gets the same bits alone, in windows of all sizes, and behind another stream."""
        own, other = self.runs
        alone = self._answer([Segment(0, 1, position, own)], 0)
        passes = [
            ([Segment(0, count, position, own)], 0) for count in (2, *(n + 1 for n in QUERY_TILES[:-1]))
        ]
        passes += [
            ([Segment(0, count, 3 * count, other), Segment(count, size, position, own)], count)
            for count, size in ((1, 1), (QUERY_TILES[-1], 2), (1, QUERY_TILES[-1]))
        ]
        return all(torch.equal(self._answer(segments, row), alone) for segments, row in passes)

    def _answer(self, segments: list[Segment], probe: int) -> Tensor:
        """Attention of the query that is checked, which is row `probe` of the pass."""
        queries = self.queries.roll(probe, 0)
        keys, values = (self._stored(pool[0], segments) for pool in (self.cache.keys, self.cache.values))
        with one_order_of_sums(queries.device):
            return self._attention(segments)(0, queries, keys, values)[probe]

    def _attention(self, segments: list[Segment]):
        return make_attention(self.cache, segments, MAX_ROWS)

    @staticmethod
    def _stored(pool: Tensor, segments: list[Segment]) -> Tensor:
        """The pool's own rows for the segments, [rows, kv_heads, head_dim]; writing them changes nothing."""
        places = [
            segment.run.start + segment.position + row for segment in segments for row in range(segment.count)
        ]
        return pool[:, places].transpose(0, 1)
