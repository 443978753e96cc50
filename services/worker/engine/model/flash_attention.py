"""Attention on CUDA with flash-attn's variable-length kernel, if it is installed.

The pool is viewed as pages of `BLOCK_TOKENS`; a stream's run is its list of pages. One kernel call serves all
rows of a pass. Everything else is the same code as on the CPU.
"""

from functools import cached_property
from importlib import import_module
from importlib.util import find_spec

import torch
import torch.nn.functional as F
from torch import Tensor

from services.worker.engine.model.attention import SdpaAttention
from services.worker.engine.model.kv_cache import BLOCK_TOKENS, KVCache, Segment


def make_attention(cache: KVCache, segments: list[Segment], rows: int) -> SdpaAttention:
    """Attention of one pass, with the fastest backend that supports this cache."""
    backend = FlashAttention if flash_attention_serves(cache) else SdpaAttention
    return backend(cache, segments, rows)


def flash_attention_serves(cache: KVCache) -> bool:
    """Whether the kernel is installed and supports this cache: on CUDA, in half precision."""
    half = cache.keys.dtype in {torch.float16, torch.bfloat16}
    return cache.keys.device.type == "cuda" and half and find_spec("flash_attn") is not None


class FlashAttention(SdpaAttention):
    """Like `SdpaAttention`, with one kernel call per layer."""

    def __init__(self, cache: KVCache, segments: list[Segment], rows: int) -> None:
        super().__init__(cache, segments, rows)
        counts = [segment.count for segment in segments]
        lengths = [segment.position + segment.count for segment in segments]
        self.longest_query = max(counts)
        self.longest_key = max(lengths)
        self.query_starts = self._starts(counts)
        self.key_starts = self._starts(lengths)

    def _starts(self, counts: list[int]) -> Tensor:
        """Running sums that start with zero, int32, as the kernel expects them."""
        zero_first = torch.tensor([0, *counts], dtype=torch.int32, device=self.device)
        return zero_first.cumsum(0, dtype=torch.int32)

    @cached_property
    def pages(self) -> Tensor:
        """Page numbers of each segment's run, [segments, pages of the longest], int32."""
        most = max(segment.run.length for segment in self.segments) // BLOCK_TOKENS
        last = self.cache.allocator.capacity // BLOCK_TOKENS - 1
        firsts = [segment.run.start // BLOCK_TOKENS for segment in self.segments]
        table = [[min(first + page, last) for page in range(most)] for first in firsts]
        return torch.tensor(table, dtype=torch.int32, device=self.device)

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        flash_attn_varlen_func = import_module("flash_attn").flash_attn_varlen_func

        self.cache.write(layer, self.slots, key[: self.real_rows], value[: self.real_rows])
        attended = flash_attn_varlen_func(
            query[: self.real_rows],
            self._paged(self.cache.keys[layer]),
            self._paged(self.cache.values[layer]),
            self.query_starts,
            self.key_starts,
            self.longest_query,
            self.longest_key,
            causal=True,
            block_table=self.pages,
        )
        return F.pad(attended, (0, 0, 0, 0, 0, self.rows - self.real_rows))

    def _paged(self, pool: Tensor) -> Tensor:
        """[kv_heads, capacity, head_dim] as [pages, page, kv_heads, head_dim], without a copy."""
        return pool.transpose(0, 1).unflatten(0, (-1, BLOCK_TOKENS))
