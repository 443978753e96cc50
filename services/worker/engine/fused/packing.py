"""Weights in the order in which a tile reads them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.worker.engine.fused.arrays import BYTES, HALVES, MATRIX_BYTES, MATRIX_HALVES
from services.worker.engine.fused.matrix_units import TILE_ROWS
from services.worker.engine.fused.tiles import BLOCK
from services.worker.engine.huge_pages import huge_zeros
from services.worker.engine.linear_kernels import quantize_rows_int8


@dataclass(frozen=True)
class PackedMatrix:
    """Weights of a product: [blocks, inputs, BLOCK] float32, or bfloat16 as int16; [blocks, pairs of inputs,
    BLOCK, 2] int8. For matrix units [blocks, steps, 2, TILE_ROWS, BLOCK / 2, group] in groups of four bytes.

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
        return self.packed.nbytes + (self.scales.nbytes if self.form in {BYTES, MATRIX_BYTES} else 0)


def padded(outputs: int) -> int:
    """Whole blocks of outputs."""
    return -(-outputs // BLOCK) * BLOCK


def pack(weight: Tensor, form: int) -> PackedMatrix:
    """weight: [outputs, inputs] of any float."""
    outputs, inputs = weight.shape
    scales = np.ones(padded(outputs), np.float32)
    stored = weight.float()
    if form in {BYTES, MATRIX_BYTES}:
        stored, row_scales = quantize_rows_int8(weight)
        scales[:outputs] = row_scales.numpy()
    elif form in {HALVES, MATRIX_HALVES}:
        stored = weight.bfloat16().view(torch.int16)
    matrix = form in {MATRIX_HALVES, MATRIX_BYTES}
    packed = _in_steps(stored) if matrix else _in_blocks(stored, pair=2 if form == BYTES else 1)
    return PackedMatrix(form, packed, scales, inputs, outputs)


def _in_blocks(weight: Tensor, pair: int = 1) -> NDArray[Any]:
    """[outputs, inputs] to [blocks, groups of `pair` inputs, BLOCK, pair], filled up with zeros."""
    outputs, inputs = weight.shape
    blocks, groups = padded(outputs) // BLOCK, -(-inputs // pair)
    whole = torch.zeros(blocks * BLOCK, groups * pair, dtype=weight.dtype)
    whole[:outputs, :inputs] = weight
    arranged = whole.view(blocks, BLOCK, groups, pair).transpose(1, 2)
    return huge_zeros(tuple(arranged.shape), arranged.dtype).copy_(arranged).numpy()


def _in_steps(weight: Tensor) -> NDArray[Any]:
    """[outputs, inputs] to [blocks, steps, 2, TILE_ROWS, BLOCK / 2, group], filled up with zeros."""
    outputs, inputs = weight.shape
    group = 4 // weight.itemsize
    blocks, steps = padded(outputs) // BLOCK, -(-inputs // (group * TILE_ROWS))
    whole = torch.zeros(blocks * BLOCK, steps * TILE_ROWS * group, dtype=weight.dtype)
    whole[:outputs, :inputs] = weight
    arranged = whole.view(blocks, 2, BLOCK // 2, steps, TILE_ROWS, group).permute(0, 3, 1, 4, 2, 5)
    return huge_zeros(tuple(arranged.shape), arranged.dtype).copy_(arranged).numpy()


def interleave(gate: Tensor, up: Tensor) -> Tensor:
    """Rows of two matrices or vectors by turns, half a block of each; zeros where a block is not full."""
    half = BLOCK // 2
    rest = gate.new_zeros(-len(gate) % half, *gate.shape[1:])
    halves = [torch.cat((part, rest)).unflatten(0, (-1, half)) for part in (gate, up)]
    return torch.stack(halves, 1).flatten(0, 2)
