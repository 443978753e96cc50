"""Weights in the order in which a tile reads them."""

import math
import mmap
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.worker.engine.fused.machine_code import BLOCK
from services.worker.engine.linear_kernels import quantize_rows_int8

HUGE_PAGE: Final = 2 << 20


@dataclass(frozen=True)
class PackedMatrix:
    """Weights of a product, [blocks, inputs, BLOCK] float32 or [blocks, pairs of inputs, BLOCK, 2] int8.

    scales: [padded outputs], of int8 weights; ones otherwise.
    """

    packed: NDArray[np.float32] | NDArray[np.int8]
    scales: NDArray[np.float32]
    inputs: int
    outputs: int

    @property
    def address(self) -> int:
        return self.packed.ctypes.data

    @property
    def nbytes(self) -> int:
        return self.packed.nbytes + (self.scales.nbytes if self.packed.dtype == np.int8 else 0)


def padded(outputs: int) -> int:
    """Whole blocks of outputs."""
    return -(-outputs // BLOCK) * BLOCK


def pack(weight: Tensor, *, quantized: bool) -> PackedMatrix:
    """weight: [outputs, inputs] float32."""
    outputs, inputs = weight.shape
    blocks = padded(outputs) // BLOCK
    scales = np.ones(blocks * BLOCK, np.float32)
    if quantized:
        codes, row_scales = quantize_rows_int8(weight)
        scales[:outputs] = row_scales.numpy()
        pairs = -(-inputs // 2)
        packed = aligned((blocks, pairs, BLOCK, 2), np.int8)
        whole = torch.zeros(blocks * BLOCK, 2 * pairs, dtype=torch.int8)
        whole[:outputs, :inputs] = codes
        packed[:] = whole.view(blocks, BLOCK, pairs, 2).transpose(1, 2).numpy()
    else:
        packed = aligned((blocks, inputs, BLOCK), np.float32)
        whole = torch.zeros(blocks * BLOCK, inputs)
        whole[:outputs] = weight
        packed[:] = whole.view(blocks, BLOCK, inputs).transpose(1, 2).numpy()
    return PackedMatrix(packed, scales, inputs, outputs)


def interleave(gate: Tensor, up: Tensor) -> Tensor:
    """Rows of two matrices or vectors by turns, half a block of each; zeros where a block is not full."""
    half = BLOCK // 2
    blocks = -(-len(gate) // half)
    both = torch.zeros(blocks, 2, half, *gate.shape[1:])
    for place, part in enumerate((gate, up)):
        whole = torch.zeros(blocks * half, *gate.shape[1:])
        whole[: len(part)] = part
        both[:, place] = whole.view(blocks, half, *gate.shape[1:])
    return both.flatten(0, 2)


def aligned(shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """An array on pages of 2 MiB, where the system has them: fewer look-ups while it streams."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = mmap.mmap(-1, size + HUGE_PAGE)
    with suppress(AttributeError, OSError):
        memory.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(memory, np.uint8)
    start = -whole.ctypes.data % HUGE_PAGE
    return whole[start : start + size].view(dtype).reshape(shape)
