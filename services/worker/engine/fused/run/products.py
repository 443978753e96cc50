"""Matrix products of all rows; the threads share the work by blocks of outputs."""

from typing import Any, Final

import numpy as np

from services.worker.engine.fused.codegen.arrays import (
    BYTES,
    FLOATS,
    HALVES,
    MATRIX_BYTES,
    MATRIX_HALVES,
    Floats,
    Pass,
    Product,
)
from services.worker.engine.fused.codegen.compiling import compiled
from services.worker.engine.fused.codegen.features import MATRIX_UNITS
from services.worker.engine.fused.codegen.finishing import finish_bytes, finish_digits, finish_floats
from services.worker.engine.fused.codegen.head_kernels import fetch_lines
from services.worker.engine.fused.codegen.matrix_units import (
    STEP_BYTES,
    TILE_BYTES,
    TILE_ROWS,
    multiply_matrix_bytes,
    multiply_matrix_halves,
)
from services.worker.engine.fused.codegen.tiles import (
    BLOCK,
    BYTE_TILES,
    CACHED_INPUTS,
    FLOAT_TILES,
    HALF_TILES,
    MANY,
    MANY_OUTPUTS,
    Tiles,
)
from services.worker.engine.fused.run.phases import finish, take, wait
from services.worker.engine.fused.run.rows import exponential

HALF: Final = BLOCK // 2


def make_multiply(tiles: Tiles, weight_row: int) -> Any:
    """Compile the product of rows and one block of weights. weight_row: bytes of BLOCK weights."""
    of_one, of_two, of_many = tiles
    parts = BLOCK // MANY_OUTPUTS

    @compiled
    def multiply_tiles(start: int, stride: int, inputs: int, weights: tuple[int, int], tile: Floats) -> None:
        """Add the product of each row and the block: tile[r] += row at `start + r * stride` @ block.

        weights: addresses of the block and of the one to prefetch. The inputs are multiplied in pieces. While
        the rows are multiplied by one piece, every call prefetches a share of the next one: prefetching all
        of it at once would delay the first rows.
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
"""`multiply_pairs` reads pairs of int16, which are as large as a float32; its sums have no scales yet."""


@compiled
def multiply_block(form: int, source: Floats, weights: tuple[int, int], tile: Floats) -> None:
    """tile[row] += source[row] @ block, for a block of float32 or bfloat16 weights."""
    start, stride, inputs = source.ctypes.data, source.strides[0], source.shape[1]
    if form == HALVES:
        multiply_halves(start, stride, inputs, weights, tile)
    else:
        multiply_floats(start, stride, inputs, weights, tile)


@compiled
def block_bytes(form: int, inputs: int) -> int:
    """Bytes of one block of weights."""
    if form == FLOATS:
        return 4 * BLOCK * inputs
    if form == HALVES:
        return 2 * BLOCK * inputs
    if form == BYTES:
        return 2 * BLOCK * ((inputs + 1) // 2)
    return STEP_BYTES * matrix_steps(2 * inputs if form == MATRIX_HALVES else inputs)


@compiled
def multiply(work: Pass, source: Floats, weights: tuple[int, int], tile: Floats) -> None:
    """tile = source @ block, before scales and biases. Rows of `tile` past those of the pass are undefined.

    weights: addresses of the block and of the one to prefetch.
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
    """Number of tiles that hold a row of inputs. size: bytes of the row."""
    return (size + TILE_BYTES - 1) // TILE_BYTES


@compiled
def finish_tile(work: Pass, product: Product, first: int, tile: Floats, out: Floats) -> None:
    """out = the sums in `tile`, with scales and biases applied. first: index of the block's first output."""
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
    """Number of rows that are multiplied; MATRIX_BYTES has two for each row, one per digit."""
    return 2 * work.row_count if work.shape.form == MATRIX_BYTES else work.row_count


@compiled
def new_tile(work: Pass) -> Floats:
    """Buffer for the outputs of a block; for matrix units its rows are padded to whole tiles."""
    rows = multiplied_rows(work)
    if work.shape.form >= MATRIX_HALVES:
        rows += -rows % TILE_ROWS
    return np.empty((rows, BLOCK), np.float32)


@compiled
def multiply_phase(work: Pass, phase: int, source: Floats, product: Product, out: Floats) -> None:
    """out = source @ matrix, with scales and biases applied."""
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
    """Addresses of a block and of this thread's next block, which is prefetched during the product.

    place: index of the block, index of the next one, number of blocks; past the last block the address of the
    current one is returned twice. Also prefetches the scales and biases of the next block.
    """
    block, following, blocks = place
    size = block_bytes(work.shape.form, source.shape[1])
    after = following if following < blocks else block
    fetch_lines(product.scales.ctypes.data + 4 * after * BLOCK, 4 * BLOCK)
    fetch_lines(product.biases.ctypes.data + 4 * after * BLOCK, 4 * BLOCK)
    return product.packed + block * size, product.packed + after * size


@compiled
def gate_phase(work: Pass, phase: int, product: Product) -> None:
    """inner = SwiGLU of the gate and up product. A block has half a block of gates, then their up values."""
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
