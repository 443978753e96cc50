"""Measure the free part of a KV cache by allocating it."""

from services.worker.engine.model.kv_cache import BLOCK_TOKENS, BlockAllocator, CacheRun


def free_tokens(allocator: BlockAllocator) -> int:
    """Number of tokens in all free blocks. The blocks are allocated and freed again."""
    taken: list[CacheRun] = []
    while (runs := allocator.allocate([BLOCK_TOKENS])) is not None:
        taken += runs
    for run in taken:
        allocator.free(run)
    return len(taken) * BLOCK_TOKENS
