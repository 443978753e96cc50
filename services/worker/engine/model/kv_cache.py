"""Keys and values of all streams, in one pool that is allocated in blocks.

A stream's length is known when its request arrives, so it gets one contiguous run of blocks: attention reads
it in place, without a gather, and an admitted request never runs out of memory. When a sequence ends, its
runs are freed at once and merged with free neighbours.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from services.worker.engine.model.config import ModelConfig
from services.worker.engine.model.huge_pages import huge_zeros

BLOCK_TOKENS = 256
"""Tokens in a block: a multiple of the key step of attention, and the page size of flash-attn's kernel."""


@dataclass(frozen=True)
class CacheRun:
    """Consecutive blocks of one stream. start, length: in tokens of the pool."""

    start: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


@dataclass(frozen=True)
class Segment:
    """Consecutive rows of a batch that belong to one stream.

    row: index of the first row in the batch. position: its position in the stream. run: the stream's blocks.
    """

    row: int
    count: int
    position: int
    run: CacheRun


def run_length(tokens: int) -> int:
    """Pool tokens that a stream of `tokens` occupies: whole blocks, at least one."""
    return max(-(-tokens // BLOCK_TOKENS), 1) * BLOCK_TOKENS


class BlockAllocator:
    """First-fit allocator of runs in a pool."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity - capacity % BLOCK_TOKENS
        self._free = [CacheRun(0, self.capacity)] if self.capacity else []

    @property
    def used(self) -> int:
        """Tokens of all allocated runs."""
        return self.capacity - sum(run.length for run in self._free)

    def allocate(self, lengths: list[int]) -> list[CacheRun] | None:
        """Allocate one run per length, all or none. Returns None if they do not fit into the free runs."""
        before = list(self._free)
        runs: list[CacheRun] = []
        for length in lengths:
            run = self._take(length)
            if run is None:
                self._free = before
                return None
            runs.append(run)
        return runs

    def free(self, run: CacheRun) -> None:
        """Free a run and merge it with its free neighbours."""
        merged: list[CacheRun] = []
        for piece in sorted([*self._free, run], key=lambda piece: piece.start):
            if merged and merged[-1].end == piece.start:
                merged[-1] = CacheRun(merged[-1].start, merged[-1].length + piece.length)
            else:
                merged.append(piece)
        self._free = merged

    def _take(self, length: int) -> CacheRun | None:
        for index, run in enumerate(self._free):
            if run.length >= length:
                rest = CacheRun(run.start + length, run.length - length)
                self._free[index : index + 1] = [rest] if rest.length else []
                return CacheRun(run.start, length)
        return None


class KVCache:
    """The pool: keys and values are [layers, kv_heads, capacity, head_dim]."""

    def __init__(
        self, config: ModelConfig, capacity: int, *, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.allocator = BlockAllocator(capacity)
        shape = (
            config.num_hidden_layers,
            config.num_key_value_heads,
            self.allocator.capacity,
            config.head_dim,
        )
        # Zeros, because masked keys get weight zero, but zero times NaN is NaN.
        self.keys, self.values = (_zeros(shape, dtype, device) for _ in range(2))

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.values.nbytes

    def write(self, layer: int, slots: Tensor, key: Tensor, value: Tensor) -> None:
        """Store keys and values [rows, kv_heads, head_dim] at places `slots` [rows] of the pool."""
        self.keys[layer].index_copy_(1, slots, key.transpose(0, 1))
        self.values[layer].index_copy_(1, slots, value.transpose(0, 1))


def _zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    if device.type == "cpu":
        return huge_zeros(shape, dtype)
    return torch.zeros(shape, dtype=dtype, device=device)


def bytes_per_token(config: ModelConfig, dtype: torch.dtype) -> int:
    """Pool bytes of one token of one stream."""
    return 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * dtype.itemsize
