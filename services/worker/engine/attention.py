"""Attention of packed rows over their streams' cached keys.

The backend follows the device: SDPA reads the runs of the pool in place anywhere; on CUDA, flash-attn's
variable-length kernel takes over when it is installed (`flash_attention`).
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from services.worker.engine.kv_cache import KVCache, Segment
from services.worker.engine.row_shapes import key_extent, query_tile, split_queries


def one_order_of_sums(device: torch.device) -> AbstractContextManager[object]:
    """Holds SDPA to kernels that sum a query's keys alike, however many queries a call has.

    On CUDA, the memory-efficient kernel does. cuDNN's, which PyTorch prefers on some GPUs, plans anew for
    every shape: it may sum otherwise for a single query than for a window, and each plan takes milliseconds.
    """
    if device.type != "cuda":
        return nullcontext()
    return sdpa_kernel([SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH])


@dataclass(frozen=True)
class _Call:
    """One attention call: a tile of queries, the keys they may see, and their mask."""

    run_start: int
    extent: int
    mask: Tensor


class SdpaAttention:
    """Scaled dot-product attention of one step, shared by all layers of the pass.

    Query heads of a group are folded into the query axis, so grouped-query attention reads each key once
    and copies none.
    """

    def __init__(self, cache: KVCache, segments: list[Segment], rows: int) -> None:
        """rows: of the whole batch, padding included; what padding rows get is not for use."""
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
    def calls(self) -> "_Calls":
        """The attention calls of the step. Segments are packed without gaps, in row order."""
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
        """[tile, extent]: 0 where a query may look, -inf beyond itself."""
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
    """All calls of a step, their tiles one after the other.

    tile_rows: the row of the batch at each place of the tiles; a tile that is not full repeats its first.
    places: [rows], where in the tiles each row of the batch stands.
    """

    calls: list[_Call]
    tile_rows: Tensor
    places: Tensor


def _attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """[tile, heads, head_dim] over keys and values [kv_heads, extent, head_dim] -> like queries."""
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
