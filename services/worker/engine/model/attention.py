"""Attention of packed rows over the cached keys of their streams.

SDPA works on every device and reads the runs of the pool in place. On CUDA, flash-attn's variable-length
kernel is used instead if it is installed (`flash_attention`).
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from services.worker.engine.model.kv_cache import KVCache, Segment
from services.worker.engine.row_shapes import key_extent, query_tile, split_queries


def one_order_of_sums(device: torch.device) -> AbstractContextManager[object]:
    """Restrict SDPA to kernels that sum over keys in the same order for any number of queries.

    On CUDA the memory-efficient kernel does. cuDNN's kernel, which PyTorch prefers on some GPUs, makes a plan
    for every shape: it may sum in another order for one query than for a window, and a plan takes
    milliseconds.
    """
    if device.type != "cuda":
        return nullcontext()
    return sdpa_kernel([SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH])


@dataclass(frozen=True)
class _Call:
    """One SDPA call: a tile of queries over `extent` keys of a run, with a mask [tile, extent]."""

    run_start: int
    extent: int
    mask: Tensor


class SdpaAttention:
    """Scaled dot-product attention of one pass, shared by all its layers.

    Query heads of a group are folded into the query axis, so that grouped-query attention reads each key once
    and copies none.
    """

    def __init__(self, cache: KVCache, segments: list[Segment], rows: int) -> None:
        """rows: rows of the batch including padding; the results of padding rows are undefined."""
        self.cache = cache
        self.segments = segments
        self.rows = rows
        self.device = cache.keys.device
        self.real_rows = sum(segment.count for segment in segments)

    @cached_property
    def slots(self) -> Tensor:
        """Place in the pool of each row that is not padding, [real_rows]."""
        return torch.cat(
            [
                torch.arange(first, first + segment.count, device=self.device)
                for segment in self.segments
                for first in (segment.run.start + segment.position,)
            ]
        )

    @cached_property
    def calls(self) -> "_Calls":
        """The SDPA calls of the pass. Segments are packed without gaps, in row order."""
        calls: list[_Call] = []
        tile_rows: list[int] = []
        places = [0] * self.rows
        for segment in self.segments:
            for position, count in split_queries(segment.position, segment.count):
                row = segment.row + position - segment.position
                tile, extent = query_tile(count), key_extent(position)
                calls.append(_Call(segment.run.start, extent, self._mask(position, tile, extent)))
                places[row : row + count] = range(len(tile_rows), len(tile_rows) + count)
                tile_rows.extend(range(row, row + count))
                tile_rows.extend([row] * (tile - count))
        return _Calls(
            calls,
            torch.tensor(tile_rows, device=self.device),
            torch.tensor(places, device=self.device),
        )

    def _mask(self, position: int, tile: int, extent: int) -> Tensor:
        """Mask [tile, extent]: 0 for the keys up to the query's own position, -inf after it."""
        queries = torch.arange(position, position + tile, device=self.device)
        hidden = torch.arange(extent, device=self.device) > queries[:, None]
        mask = torch.zeros(tile, extent, dtype=self.cache.keys.dtype, device=self.device)
        return mask.masked_fill_(hidden, float("-inf"))

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        self.cache.write(layer, self.slots, key[: self.real_rows], value[: self.real_rows])
        keys, values = self.cache.keys[layer], self.cache.values[layer]
        calls = self.calls
        tiles = query.index_select(0, calls.tile_rows).split([call.mask.shape[0] for call in calls.calls])
        attended = [
            _attend(
                tile,
                keys.narrow(1, call.run_start, call.extent),
                values.narrow(1, call.run_start, call.extent),
                call.mask,
            )
            for tile, call in zip(tiles, calls.calls, strict=True)
        ]
        return torch.cat(attended).index_select(0, calls.places)


@dataclass(frozen=True)
class _Calls:
    """All SDPA calls of a pass; their tiles are concatenated.

    tile_rows: row of the batch at each place of the tiles; a tile that is not full repeats its first row.
    places: [rows], place in the tiles of each row of the batch.
    """

    calls: list[_Call]
    tile_rows: Tensor
    places: Tensor


def _attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Attention of queries [tile, heads, head_dim] over keys and values [kv_heads, extent, head_dim]."""
    tile, heads, head_dim = queries.shape
    kv_heads = keys.shape[0]
    group = heads // kv_heads
    if group == 1:
        folded = queries.transpose(0, 1)
    else:
        # [tile, kv_heads, group, head_dim] -> [kv_heads, group * tile, head_dim]
        folded = queries.view(tile, kv_heads, group, head_dim).permute(1, 2, 0, 3)
        folded = folded.reshape(kv_heads, group * tile, head_dim)
        mask = mask.repeat(group, 1)
    attended = F.scaled_dot_product_attention(folded[None], keys[None], values[None], attn_mask=mask)[0]
    if group == 1:
        return attended.transpose(0, 1)
    unfolded = attended.view(kv_heads, group, tile, head_dim).permute(2, 0, 1, 3)
    return unfolded.reshape(tile, heads, head_dim)
