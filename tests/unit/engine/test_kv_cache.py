"""Runs of the pool never overlap, hold whole streams, and merge when they are freed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from services.worker.engine.model.kv_cache import (
    BLOCK_TOKENS,
    BlockAllocator,
    CacheRun,
    KVCache,
    bytes_per_token,
    run_length,
)
from services.worker.engine.row_shapes import key_extent
from tests.support.models.free_cache import free_tokens
from tests.support.models.variations import Models

BLOCKS = 24


@given(st.integers(0, 9000))
def test_a_run_holds_its_stream_and_every_key_extent_in_whole_blocks(tokens: int):
    length = run_length(tokens)
    assert length % BLOCK_TOKENS == 0
    assert all(key_extent(position) <= length for position in range(max(0, tokens - 3), tokens))
    assert length - tokens < BLOCK_TOKENS or tokens == 0


@given(st.data())
def test_runs_never_overlap_and_all_of_them_merge_back(data: st.DataObject):
    allocator = BlockAllocator(BLOCKS * BLOCK_TOKENS)
    held: list[CacheRun] = []
    for _ in range(data.draw(st.integers(1, 40))):
        if held and data.draw(st.booleans()):
            allocator.free(held.pop(data.draw(st.integers(0, len(held) - 1))))
        else:
            lengths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
            free = free_tokens(allocator)
            runs = allocator.allocate([blocks * BLOCK_TOKENS for blocks in lengths])
            if runs is None:
                assert free_tokens(allocator) == free
            else:
                assert [run.length // BLOCK_TOKENS for run in runs] == lengths
                held += runs
        taken = [token for run in held for token in range(run.start, run.end, BLOCK_TOKENS)]
        assert len(set(taken)) == len(taken)
        assert all(0 <= run.start and run.end <= allocator.capacity for run in held)
        assert free_tokens(allocator) + sum(run.length for run in held) == allocator.capacity
    for run in held:
        allocator.free(run)
    assert allocator.allocate([allocator.capacity]) == [CacheRun(0, allocator.capacity)]


def test_all_streams_of_a_request_get_a_run_or_none_does():
    allocator = BlockAllocator(3 * BLOCK_TOKENS)
    assert allocator.allocate([2 * BLOCK_TOKENS, 2 * BLOCK_TOKENS]) is None
    assert free_tokens(allocator) == 3 * BLOCK_TOKENS


def test_a_pool_smaller_than_a_block_holds_nothing():
    assert BlockAllocator(BLOCK_TOKENS - 1).allocate([BLOCK_TOKENS]) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_pool_has_the_announced_number_of_bytes(models: Models, dtype: torch.dtype):
    config = models("fp32", "grouped queries").config
    cache = KVCache(config, 1000, dtype=dtype, device=torch.device("cpu"))
    assert cache.allocator.capacity == 768
    assert cache.nbytes == 768 * bytes_per_token(config, dtype)
