"""Memory on pages of 2 MiB: they need fewer address translations than pages of 4 KiB.

In a virtual machine a translation can take as long as reading a kilobyte.
"""

import math
import mmap
from contextlib import suppress
from typing import Final

import torch
from torch import Tensor

HUGE_PAGE: Final = 2 << 20


def huge_zeros(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A tensor of zeros in CPU memory, on huge pages if the system provides them."""
    size = math.prod(shape) * dtype.itemsize
    # by default mmap shares memory with child processes, and shared memory gets small pages
    memory = mmap.mmap(-1, size + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(AttributeError, OSError):
        memory.madvise(mmap.MADV_HUGEPAGE)
    whole = torch.frombuffer(memory, dtype=torch.uint8)
    start = -whole.data_ptr() % HUGE_PAGE
    return whole[start : start + size].view(dtype).view(shape)
