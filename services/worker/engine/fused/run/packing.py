"""Rearrange weights into the order in which the tiles read them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.worker.engine.fused.codegen.arrays import BYTES, HALVES, MATRIX_BYTES, MATRIX_HALVES
from services.worker.engine.fused.codegen.matrix_units import TILE_ROWS
from services.worker.engine.fused.codegen.tiles import BLOCK
from services.worker.engine.kernels.linear import quantize_rows_int8
from services.worker.engine.model.huge_pages import huge_zeros


@dataclass(frozen=True)
class PackedMatrix:
    """Packed weights of one matrix product.

    form: storage format, see `arrays`. packed: [blocks, inputs, BLOCK] of float32, or of bfloat16 as int16;
    [blocks, pairs of inputs, BLOCK, 2] of int8; for matrix units [blocks, steps, 2, TILE_ROWS, BLOCK / 2,
    group], a group being four bytes. scales: [padded outputs], those of int8 weights, otherwise ones.
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
    """The number of outputs, rounded up to whole blocks."""
    return -(-outputs // BLOCK) * BLOCK


def pack(weight: Tensor, form: int) -> PackedMatrix:
    """Convert weights [outputs, inputs] of any floating-point type to a storage format, and pack them."""
    outputs, inputs = weight.shape
    scales = np.ones(padded(outputs), np.float32)
    if form in {BYTES, MATRIX_BYTES}:
        stored, row_scales = quantize_rows_int8(weight)
        scales[:outputs] = row_scales.numpy()
    elif form in {HALVES, MATRIX_HALVES}:
        stored = weight.bfloat16().view(torch.int16)
    else:
        stored = weight.float()
    matrix = form in {MATRIX_HALVES, MATRIX_BYTES}
    packed = _in_steps(stored) if matrix else _in_blocks(stored, pair=2 if form == BYTES else 1)
    return PackedMatrix(form, packed, scales, inputs, outputs)


def _in_blocks(weight: Tensor, pair: int = 1) -> NDArray[Any]:
    """[outputs, inputs] to [blocks, groups of `pair` inputs, BLOCK, pair], padded with zeros."""
    outputs, inputs = weight.shape
    blocks, groups = padded(outputs) // BLOCK, -(-inputs // pair)
    whole = torch.zeros(blocks * BLOCK, groups * pair, dtype=weight.dtype)
    whole[:outputs, :inputs] = weight
    arranged = whole.view(blocks, BLOCK, groups, pair).transpose(1, 2)
    return huge_zeros(tuple(arranged.shape), arranged.dtype).copy_(arranged).numpy()


def _in_steps(weight: Tensor) -> NDArray[Any]:
    """[outputs, inputs] to [blocks, steps, 2, TILE_ROWS, BLOCK / 2, group], padded with zeros."""
    outputs, inputs = weight.shape
    group = 4 // weight.itemsize
    blocks, steps = padded(outputs) // BLOCK, -(-inputs // (group * TILE_ROWS))
    whole = torch.zeros(blocks * BLOCK, steps * TILE_ROWS * group, dtype=weight.dtype)
    whole[:outputs, :inputs] = weight
    arranged = whole.view(blocks, 2, BLOCK // 2, steps, TILE_ROWS, group).permute(0, 3, 1, 4, 2, 5)
    return huge_zeros(tuple(arranged.shape), arranged.dtype).copy_(arranged).numpy()


def interleave(gate: Tensor, up: Tensor) -> Tensor:
    """Alternate half a block of gate rows with half a block of up rows; incomplete halves end with zeros."""
    half = BLOCK // 2
    rest = gate.new_zeros(-len(gate) % half, *gate.shape[1:])
    halves = [torch.cat((part, rest)).unflatten(0, (-1, half)) for part in (gate, up)]
    return torch.stack(halves, 1).flatten(0, 2)
