"""Convolutions in full float32 precision with reproducible results, on GPUs and CPUs."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def reproducible_convolutions() -> Generator[None]:
    """Use PyTorch's own convolutions instead of cuDNN's within this context; no effect on a CPU.

    By default cuDNN rounds float32 factors to TF32, whose 10 bits of mantissa are too few to get the codes
    and pixels of the reference. Without TF32 it is slower than a matrix product, and used 65 GiB of workspace
    for one picture of 512x512.
    """
    cudnn: Any = torch.backends.cudnn
    before = cudnn.enabled
    cudnn.enabled = False
    try:
        yield
    finally:
        cudnn.enabled = before
