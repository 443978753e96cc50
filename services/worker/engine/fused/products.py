"""Products of all rows with a matrix, shared out among the threads by blocks of outputs."""

from typing import Any, Final

import numpy as np

from services.worker.engine.fused.arrays import (
    BYTES,
    FLOATS,
    HALVES,
    MATRIX_BYTES,
    MATRIX_HALVES,
    Floats,
    Pass,
    Product,
)
from services.worker.engine.fused.compiling import compiled
from services.worker.engine.fused.features import MATRIX_UNITS
from services.worker.engine.fused.finishing import finish_bytes, finish_digits, finish_floats
from services.worker.engine.fused.head_kernels import fetch_lines
from services.worker.engine.fused.matrix_units import (
    STEP_BYTES,
    TILE_BYTES,
    TILE_ROWS,
    multiply_matrix_bytes,
    multiply_matrix_halves,
)
from services.worker.engine.fused.phases import finish, take, wait
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
    def multiply_tiles(start: int, stride: int, inputs: int, weights: tuple[int, int], tile: Floats) -> None:
        """tile[row] += the row at start + row * stride times the block, one piece of the inputs at a time.

        weights: of the block, and of the one that is needed next. While the rows meet one piece, the next is
        fetched, a share in every call: fetched all at once it would hold up the first rows.
        """
        block, after = weights
        count, tile_row = len(tile), tile.strides[0]
        many = count - count % MANY
        calls = many // MANY * parts + (count - many + 1) // 2
        share = weight_row // calls
        for first in range(0, inputs, CACHED_INPUTS):
            some = min(CACHED_INPUTS, inputs - first)
            here = block + first * weight_row
            ahead = here + some * weight_row if first + some < inputs else after
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
def multiply_block(form: int, source: Floats, weights: tuple[int, int], tile: Floats) -> None:
    """tile[row] += source[row] times a block of float32 or bfloat16 weights."""
    start, stride, inputs = source.ctypes.data, source.strides[0], source.shape[1]
    if form == HALVES:
        multiply_halves(start, stride, inputs, weights, tile)
    else:
        multiply_floats(start, stride, inputs, weights, tile)


@compiled
def block_bytes(form: int, inputs: int) -> int:
    """Of the weights of a block."""
    if form == FLOATS:
        return 4 * BLOCK * inputs
    if form == HALVES:
        return 2 * BLOCK * inputs
    if form == BYTES:
        return 2 * BLOCK * ((inputs + 1) // 2)
    return STEP_BYTES * matrix_steps(2 * inputs if form == MATRIX_HALVES else inputs)


@compiled
def multiply(work: Pass, source: Floats, weights: tuple[int, int], tile: Floats) -> None:
    """tile = the outputs of a block for all rows of `source`, and whatever in the rows beyond.

    weights: of the block, and of the one that is needed next.
    """
    form, fixed, inputs = work.shape.form, work.rows.fixed, source.shape[1]
    start, stride = fixed.ctypes.data, fixed.strides[0]
    if MATRIX_UNITS and form == MATRIX_HALVES:
        multiply_matrix_halves(start, stride, matrix_steps(2 * inputs), weights, tile)
    elif MATRIX_UNITS and form == MATRIX_BYTES:
        multiply_matrix_bytes(start, stride // 2, matrix_steps(inputs), weights, tile)
    elif form == BYTES:
        tile[:] = 0
        multiply_pairs(start, stride, (inputs + 1) // 2, weights, tile)
    else:
        tile[:] = 0
        multiply_block(form, source, weights, tile)


@compiled
def matrix_steps(size: int) -> int:
    """So many bytes of a row's inputs in tiles."""
    return (size + TILE_BYTES - 1) // TILE_BYTES


@compiled
def finish_tile(work: Pass, product: Product, first: int, tile: Floats, out: Floats) -> None:
    """out = what the sums of a block are with their scales and biases. first: output of the block."""
    form, row_scales = work.shape.form, work.rows.fixed_scales
    scales, biases = product.scales.ctypes.data + 4 * first, product.biases.ctypes.data + 4 * first
    for row in range(work.row_count):
        there = out.ctypes.data + row * out.strides[0]
        if form == MATRIX_BYTES:
            high = tile.ctypes.data + 2 * row * tile.strides[0]
            finish_digits(high, high + tile.strides[0], row_scales[row], scales, biases, there)
        elif form == BYTES:
            finish_bytes(tile.ctypes.data + row * tile.strides[0], 0, row_scales[row], scales, biases, there)
        else:
            finish_floats(tile.ctypes.data + row * tile.strides[0], 0, np.float32(1), scales, biases, there)


@compiled
def multiplied_rows(work: Pass) -> int:
    """Rows of a product: two, of a digit each, for a row of a pass in MATRIX_BYTES."""
    return 2 * work.row_count if work.shape.form == MATRIX_BYTES else work.row_count


@compiled
def new_tile(work: Pass) -> Floats:
    """Room for the outputs of a block, in whole tiles of matrix units."""
    rows = multiplied_rows(work)
    if work.shape.form >= MATRIX_HALVES:
        rows += -rows % TILE_ROWS
    return np.empty((rows, BLOCK), np.float32)


@compiled
def multiply_phase(work: Pass, phase: int, source: Floats, product: Product, out: Floats) -> None:
    """out = source times the matrix."""
    blocks = out.shape[1] // BLOCK
    tile = new_tile(work)
    block = take(work.counters, phase)
    while block < blocks:
        following = take(work.counters, phase)
        multiply(work, source, weights_of(work, source, product, (block, following, blocks)), tile)
        finish_tile(work, product, block * BLOCK, tile, out[:, block * BLOCK :])
        finish(work.counters, phase)
        block = following
    wait(work.counters, phase, blocks)


@compiled
def weights_of(work: Pass, source: Floats, product: Product, place: tuple[int, int, int]) -> tuple[int, int]:
    """Addresses of a block, and of the one that this thread has taken to do next, to be fetched meanwhile.

    place: both blocks, and how many there are; without a next one, the same again. Fetches what its outputs
    are finished with.
    """
    block, following, blocks = place
    size = block_bytes(work.shape.form, source.shape[1])
    after = following if following < blocks else block
    fetch_lines(product.scales.ctypes.data + 4 * after * BLOCK, 4 * BLOCK)
    fetch_lines(product.biases.ctypes.data + 4 * after * BLOCK, 4 * BLOCK)
    return product.packed + block * size, product.packed + after * size


@compiled
def gate_phase(work: Pass, phase: int, product: Product) -> None:
    """SwiGLU: a block holds half a block of gates, and the values that they let through."""
    blocks, source, inner = work.shape.gate_up // BLOCK, work.rows.normed, work.rows.inner
    tile = new_tile(work)
    block = take(work.counters, phase)
    while block < blocks:
        following = take(work.counters, phase)
        multiply(work, source, weights_of(work, source, product, (block, following, blocks)), tile)
        finish_tile(work, product, block * BLOCK, tile, tile)
        first = block * HALF
        for row in range(work.row_count):
            for index in range(min(HALF, work.shape.inner - first)):
                gate = tile[row, index]
                passed = gate / (np.float32(1) + exponential(-gate))
                inner[row, first + index] = passed * tile[row, HALF + index]
        finish(work.counters, phase)
        block = following
    wait(work.counters, phase, blocks)
