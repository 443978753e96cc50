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

from services.worker.engine.fused.arrays import BYTES, HALVES
from services.worker.engine.fused.tiles import BLOCK
from services.worker.engine.linear_kernels import quantize_rows_int8

HUGE_PAGE: Final = 2 << 20


@dataclass(frozen=True)
class PackedMatrix:
    """Weights of a product: [blocks, inputs, BLOCK] float32, or bfloat16 as int16; [blocks, pairs of inputs,
    BLOCK, 2] int8.

    form: see `arrays`. scales: [padded outputs], of int8 weights; ones otherwise.
    """

    form: int
    packed: NDArray[Any]
    scales: NDArray[np.float32]
    inputs: int
    outputs: int

    @property
    def address(self) -> int:
        return self.packed.ctypes.data

    @property
    def nbytes(self) -> int:
        return self.packed.nbytes + (self.scales.nbytes if self.form == BYTES else 0)


def padded(outputs: int) -> int:
    """Whole blocks of outputs."""
    return -(-outputs // BLOCK) * BLOCK


def pack(weight: Tensor, form: int) -> PackedMatrix:
    """weight: [outputs, inputs] of any float."""
    outputs, inputs = weight.shape
    scales = np.ones(padded(outputs), np.float32)
    if form == BYTES:
        codes, row_scales = quantize_rows_int8(weight)
        scales[:outputs] = row_scales.numpy()
        packed = _in_blocks(codes, pair=2)
    elif form == HALVES:
        packed = _in_blocks(weight.bfloat16().view(torch.int16))
    else:
        packed = _in_blocks(weight.float())
    return PackedMatrix(form, packed, scales, inputs, outputs)


def _in_blocks(weight: Tensor, pair: int = 1) -> NDArray[Any]:
    """[outputs, inputs] to [blocks, groups of `pair` inputs, BLOCK, pair], filled up with zeros."""
    outputs, inputs = weight.shape
    blocks, groups = padded(outputs) // BLOCK, -(-inputs // pair)
    whole = torch.zeros(blocks * BLOCK, groups * pair, dtype=weight.dtype)
    whole[:outputs, :inputs] = weight
    arranged = whole.view(blocks, BLOCK, groups, pair).transpose(1, 2)
    packed = aligned(tuple(arranged.shape), arranged.numpy().dtype.type)
    packed[:] = arranged.numpy()
    return packed


def interleave(gate: Tensor, up: Tensor) -> Tensor:
    """Rows of two matrices or vectors by turns, half a block of each; zeros where a block is not full."""
    half = BLOCK // 2
    rest = gate.new_zeros(-len(gate) % half, *gate.shape[1:])
    halves = [torch.cat((part, rest)).unflatten(0, (-1, half)) for part in (gate, up)]
    return torch.stack(halves, 1).flatten(0, 2)


def aligned(shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """An array on pages of 2 MiB, where the system has them: fewer look-ups while it streams."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = mmap.mmap(-1, size + HUGE_PAGE)
    with suppress(AttributeError, OSError):
        memory.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(memory, np.uint8)
    start = -whole.ctypes.data % HUGE_PAGE
    return whole[start : start + size].view(dtype).reshape(shape)
