"""Memory on pages of 2 MiB: what streams through it, or jumps about in it, needs fewer look-ups of addresses.

In a virtual machine such a look-up can take as long as reading a kilobyte.
"""

import math
import mmap
from contextlib import suppress
from typing import Final

import torch
from torch import Tensor

HUGE_PAGE: Final = 2 << 20


def huge_zeros(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Zeros in the CPU's memory, on huge pages where the system has them."""
    size = math.prod(shape) * dtype.itemsize
    # Python shares memory with child processes unless told otherwise, and shared memory has small pages
    memory = mmap.mmap(-1, size + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(AttributeError, OSError):
        memory.madvise(mmap.MADV_HUGEPAGE)
    whole = torch.frombuffer(memory, dtype=torch.uint8)
    start = -whole.data_ptr() % HUGE_PAGE
    return whole[start : start + size].view(dtype).view(shape)
