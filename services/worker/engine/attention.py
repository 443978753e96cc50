"""Attention of packed rows over their streams' cached keys.

The backend follows the device: SDPA reads the runs of the pool in place anywhere; on CUDA, flash-attn's
variable-length kernel takes over when it is installed (`flash_attention`).
"""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from services.worker.engine.kv_cache import CacheRun, KVCache
from services.worker.engine.row_shapes import key_extent, query_tile, split_queries


@dataclass(frozen=True)
class Segment:
    """Consecutive rows of a batch that belong to one stream.

    row: index of the first row in the batch; position: its place in the stream.
    """

    row: int
    count: int
    position: int
    run: CacheRun


@dataclass(frozen=True)
class _Call:
    """One attention call: `count` queries padded to a tile, the keys they may see, and their mask."""

    row: int
    count: int
    run_start: int
    extent: int
    mask: Tensor


class SdpaAttention:
    """Scaled dot-product attention of one step, shared by all layers of the pass.

    Query heads of a group are folded into the query axis, so grouped-query attention reads each key once
    and copies none.
    """

    def __init__(self, cache: KVCache, segments: list[Segment], rows: int) -> None:
        """rows: of the whole batch, padding included; padding rows attend to nothing and give zeros."""
        self.cache = cache
        self.segments = segments
        self.rows = rows
        self.device = cache.keys.device
        self.real_rows = sum(segment.count for segment in segments)

    @cached_property
    def slots(self) -> Tensor:
        """Pool position of each real row, [real_rows]."""
        return torch.cat(
            [
                torch.arange(first, first + segment.count, device=self.device)
                for segment in self.segments
                for first in (segment.run.start + segment.position,)
            ]
        )

    @cached_property
    def calls(self) -> list[_Call]:
        """The attention calls of the step. Segments are packed without gaps, in row order."""
        calls: list[_Call] = []
        for segment in self.segments:
            for position, count in split_queries(segment.position, segment.count):
                row = segment.row + position - segment.position
                extent = key_extent(position)
                mask = self._mask(position, query_tile(count), extent)
                calls.append(_Call(row, count, segment.run.start, extent, mask))
        return calls

    def _mask(self, position: int, tile: int, extent: int) -> Tensor:
        """[heads per group * tile, extent]: 0 where a query may look, -inf beyond itself."""
        queries = torch.arange(position, position + tile, device=self.device)
        hidden = torch.arange(extent, device=self.device) > queries[:, None]
        mask = torch.zeros(tile, extent, dtype=self.cache.keys.dtype, device=self.device)
        return mask.masked_fill_(hidden, float("-inf"))

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        self.cache.write(layer, self.slots, key[: self.real_rows], value[: self.real_rows])
        output = torch.zeros_like(query)
        for call in self.calls:
            queries = query[call.row : call.row + call.count]
            output[call.row : call.row + call.count] = self._attend(layer, queries, call)
        return output

    def _attend(self, layer: int, queries: Tensor, call: _Call) -> Tensor:
        """[count, heads, head_dim] -> the same, for one call."""
        kv_heads = self.cache.keys.shape[1]
        count, heads, head_dim = queries.shape
        group = heads // kv_heads
        tile = call.mask.shape[0]
        keys = self.cache.keys[layer, :, call.run_start : call.run_start + call.extent]
        values = self.cache.values[layer, :, call.run_start : call.run_start + call.extent]
        padded = F.pad(queries, (0, 0, 0, 0, 0, tile - count))
        # [tile, kv_heads, group, head_dim] -> [kv_heads, group * tile, head_dim]
        folded = padded.view(tile, kv_heads, group, head_dim).permute(1, 2, 0, 3)
        folded = folded.reshape(kv_heads, group * tile, head_dim)
        mask = call.mask if group == 1 else call.mask.repeat(group, 1)
        attended = F.scaled_dot_product_attention(folded[None], keys[None], values[None], attn_mask=mask)[0]
        unfolded = attended.view(kv_heads, group, tile, head_dim).permute(2, 0, 1, 3)
        return unfolded.reshape(tile, heads, head_dim)[:count]
