"""A linear kernel on the tiles of the fused decoder, for the output head."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from services.worker.engine.fused.codegen.arrays import FLOATS, HALVES, MATRIX_HALVES, Floats, Longs
from services.worker.engine.fused.codegen.compiling import compiled, entry, sources_digest
from services.worker.engine.fused.codegen.features import MATRIX_UNITS
from services.worker.engine.fused.codegen.matrix_units import (
    TILE_BYTES,
    TILE_ROWS,
    claim_tiles,
    free_tiles,
    multiply_matrix_halves,
)
from services.worker.engine.fused.codegen.tiles import BLOCK
from services.worker.engine.fused.run.packing import pack
from services.worker.engine.fused.run.phases import new_counters, take
from services.worker.engine.fused.run.products import block_bytes, matrix_steps, multiply_block
from services.worker.engine.fused.run.threads import run_together


class Wanted(NamedTuple):
    """One matrix product.

    form: storage format of the weights, see `arrays`. packed: address of the weights. rows: rows of the
    source without padding.
    """

    form: int
    inputs: int
    packed: int
    rows: int


class TileKernel:
    """A batch-invariant `LinearKernel` of float32 or bfloat16 weights."""

    fewest_rows = 2

    def __init__(self, weight: Tensor, bias: Tensor | None, *, matrix_units: bool = MATRIX_UNITS) -> None:
        """matrix_units: use AMX for bfloat16 weights."""
        halves = MATRIX_HALVES if matrix_units else HALVES
        self.matrix = pack(weight, halves if weight.dtype is torch.bfloat16 else FLOATS)
        self.bias = bias
        self.inputs, self.outputs = self.matrix.inputs, self.matrix.outputs
        self.weight_bytes = self.matrix.nbytes

    def __call__(self, inputs: Tensor) -> Tensor:
        source = tiled(inputs) if self.matrix.form == MATRIX_HALVES else inputs.float().contiguous()
        out = np.empty((len(inputs), len(self.matrix.scales)), np.float32)
        product = Wanted(self.matrix.form, self.inputs, self.matrix.address, len(inputs))
        run_together(run_product, product, source.numpy(), new_counters(1), out)
        found = torch.from_numpy(out[:, : self.outputs])
        return (found if self.bias is None else found + self.bias).to(inputs.dtype)


def tiled(inputs: Tensor) -> Tensor:
    """Pad bfloat16 rows with zeros to whole AMX tiles; the result is viewed as pairs in float32."""
    rows, size = inputs.shape
    whole = torch.zeros(
        rows + -rows % TILE_ROWS, size + -size % (TILE_BYTES // inputs.itemsize), dtype=inputs.dtype
    )
    whole[:rows, :size] = inputs
    return whole.view(torch.float32)


def make_run_product(sources: str) -> Callable[[Wanted, Floats, Longs, Floats], None]:
    """Compile the entry point. sources: see `sources_digest`."""

    @entry
    def run_product(product: Wanted, source: Floats, counters: Longs, out: Floats) -> None:
        if sources:
            if MATRIX_UNITS and product.form == MATRIX_HALVES:
                claim_tiles(min(product.rows, TILE_ROWS))
            share_product(product, source, counters, out)
            if MATRIX_UNITS and product.form == MATRIX_HALVES:
                free_tiles()

    return run_product


@compiled
def share_product(product: Wanted, source: Floats, counters: Longs, out: Floats) -> None:
    """One thread's share of a product: it takes blocks of outputs until none is left."""
    blocks = out.shape[1] // BLOCK
    tile = np.empty((len(source), BLOCK), np.float32)
    size = block_bytes(product.form, product.inputs)
    block = take(counters, 0)
    while block < blocks:
        following = take(counters, 0)
        after = following if following < blocks else block
        weights = product.packed + block * size, product.packed + after * size
        if MATRIX_UNITS and product.form == MATRIX_HALVES:
            steps = matrix_steps(2 * product.inputs)
            multiply_matrix_halves(source.ctypes.data, source.strides[0], steps, weights, tile)
        else:
            tile[:] = 0
            multiply_block(product.form, source, weights, tile)
        out[: product.rows, block * BLOCK : (block + 1) * BLOCK] = tile[: product.rows]
        block = following


run_product = make_run_product(sources_digest())
