"""Products of all rows with a matrix, shared out among the threads by blocks of outputs."""

from typing import Any, Final

import numpy as np

from services.worker.engine.fused.arrays import BYTES, HALVES, Floats, Pass, Product
from services.worker.engine.fused.compiling import compiled
from services.worker.engine.fused.phases import finish, take
from services.worker.engine.fused.rows import exponential
from services.worker.engine.fused.tiles import (
    BLOCK,
    BYTE_TILES,
    CACHED_INPUTS,
    FLOAT_TILES,
    HALF_TILES,
    MANY,
    MANY_OUTPUTS,
    Tiles,
)

HALF: Final = BLOCK // 2


def make_multiply(tiles: Tiles, weight_row: int) -> Any:
    """The product of rows with a block of weights by these tiles; weight_row: bytes of BLOCK weights."""
    of_one, of_two, of_many = tiles
    parts = BLOCK // MANY_OUTPUTS

    @compiled
    def multiply_tiles(start: int, stride: int, inputs: int, weights: int, tile: Floats) -> None:
        """tile[row] += the row at start + row * stride times the block, one piece of the inputs at a time.

        While the rows meet one piece, the next is fetched, a share in every call: fetched all at once it
        would hold up the first rows.
        """
        count, tile_row = len(tile), tile.strides[0]
        many = count - count % MANY
        calls = many // MANY * parts + (count - many + 1) // 2
        share = weight_row // calls
        for first in range(0, inputs, CACHED_INPUTS):
            some = min(CACHED_INPUTS, inputs - first)
            here = weights + first * weight_row
            ahead = here + some * weight_row
            for row in range(0, many, MANY):
                there, out = start + row * stride + 4 * first, tile.ctypes.data + row * tile_row
                for part in range(parts):
                    outputs = part * MANY_OUTPUTS
                    those = here + weight_row // parts * part
                    of_many(there, stride, those, weight_row, some, out + 4 * outputs, tile_row, ahead, share)
                    ahead += some * share
            for row in range(many, count, 2):
                there, out = start + row * stride + 4 * first, tile.ctypes.data + row * tile_row
                if row + 1 < count:
                    of_two(there, stride, here, weight_row, some, out, tile_row, ahead, share)
                else:
                    of_one(there, stride, here, weight_row, some, out, tile_row, ahead, share)
                ahead += some * share

    return multiply_tiles


multiply_floats = make_multiply(FLOAT_TILES, 4 * BLOCK)
multiply_halves = make_multiply(HALF_TILES, 2 * BLOCK)
multiply_pairs = make_multiply(BYTE_TILES, 2 * BLOCK)
"""Its inputs are pairs of int16, as large as a float32; the result is in units of both scales."""


@compiled
def multiply_block(form: int, source: Floats, packed: int, block: int, tile: Floats) -> None:
    """tile[row] += source[row] times a block of float32 or bfloat16 weights."""
    start, stride, inputs = source.ctypes.data, source.strides[0], source.shape[1]
    if form == HALVES:
        multiply_halves(start, stride, inputs, packed + block * inputs * 2 * BLOCK, tile)
    else:
        multiply_floats(start, stride, inputs, packed + block * inputs * 4 * BLOCK, tile)


@compiled
def multiply(work: Pass, source: Floats, product: Product, block: int, tile: Floats) -> None:
    """tile = the outputs of a block for all rows of `source`."""
    tile[:] = 0
    first = block * BLOCK
    if work.shape.form == BYTES:
        fixed, pairs = work.rows.fixed, (source.shape[1] + 1) // 2
        weights = product.packed + block * pairs * 2 * BLOCK
        multiply_pairs(fixed.ctypes.data, fixed.strides[0], pairs, weights, tile)
        for row in range(len(tile)):
            for index in range(BLOCK):
                tile[row, index] *= work.rows.fixed_scales[row] * product.scales[first + index]
    else:
        multiply_block(work.shape.form, source, product.packed, block, tile)
    for row in range(len(tile)):
        for index in range(BLOCK):
            tile[row, index] += product.biases[first + index]


@compiled
def multiply_phase(work: Pass, phase: int, source: Floats, product: Product, out: Floats) -> bool:
    """out = source times the matrix; whether this thread did the last of it."""
    blocks = out.shape[1] // BLOCK
    tile = np.empty((work.row_count, BLOCK), np.float32)
    block = take(work.counters, phase)
    while block < blocks:
        multiply(work, source, product, block, tile)
        out[: work.row_count, block * BLOCK : (block + 1) * BLOCK] = tile
        if finish(work.counters, phase, blocks):
            return True
        block = take(work.counters, phase)
    return False


@compiled
def gate_phase(work: Pass, phase: int, product: Product) -> bool:
    """SwiGLU: a block holds half a block of gates, and the values that they let through."""
    blocks, inner = work.shape.gate_up // BLOCK, work.rows.inner
    tile = np.empty((work.row_count, BLOCK), np.float32)
    block = take(work.counters, phase)
    while block < blocks:
        multiply(work, work.rows.normed, product, block, tile)
        first = block * HALF
        for row in range(work.row_count):
            for index in range(min(HALF, work.shape.inner - first)):
                gate = tile[row, index]
                passed = gate / (np.float32(1) + exponential(-gate))
                inner[row, first + index] = passed * tile[row, HALF + index]
        if finish(work.counters, phase, blocks):
            return True
        block = take(work.counters, phase)
    return False
