"""Convolutions that are exact to float32 and the same every time, on a GPU as on a CPU."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def reproducible_convolutions() -> Generator[None]:
    """PyTorch's own convolutions instead of cuDNN's, while the context lasts; no matter on a CPU.

    cuDNN rounds float32 factors to TF32's 10 bits of mantissa unless told otherwise, too few for codes and
    pixels that equal the reference's. Told otherwise, it is slower than a matrix product, and was seen to
    take 65 GiB of workspace for one picture of 512x512.
    """
    cudnn: Any = torch.backends.cudnn
    before = cudnn.enabled
    cudnn.enabled = False
    try:
        yield
    finally:
        cudnn.enabled = before
