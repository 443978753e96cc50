"""Products of all rows with a matrix, shared out among the threads by blocks of outputs."""

from typing import Final

import numpy as np

from services.worker.engine.fused.arrays import Floats, Pass, Product, Shorts
from services.worker.engine.fused.compiling import compiled
from services.worker.engine.fused.machine_code import (
    BLOCK,
    CACHED_INPUTS,
    byte_tile_of_one,
    byte_tile_of_two,
    float_tile_of_one,
    float_tile_of_six,
    float_tile_of_two,
)
from services.worker.engine.fused.phases import finish, take
from services.worker.engine.fused.rows import exponential

HALF: Final = BLOCK // 2


@compiled
def multiply_floats(source: Floats, packed: int, block: int, tile: Floats) -> None:
    """tile[row] += source[row] times the weights of a block, a piece of the weights after the other."""
    count, inputs, stride = len(tile), source.shape[1], source.strides[0]
    weight_row, tile_row = 4 * BLOCK, tile.strides[0]
    weights = packed + block * inputs * weight_row
    sixes = count - count % 6
    for first in range(0, inputs, CACHED_INPUTS):
        some = min(CACHED_INPUTS, inputs - first)
        here = weights + first * weight_row
        start, out = source.ctypes.data + 4 * first, tile.ctypes.data
        for row in range(0, sixes, 6):
            for half in (0, 4 * HALF):
                float_tile_of_six(
                    start + row * stride,
                    stride,
                    here + half,
                    weight_row,
                    some,
                    out + row * tile_row + half,
                    tile_row,
                )
        for row in range(sixes, count, 2):
            if row + 1 < count:
                float_tile_of_two(
                    start + row * stride, stride, here, weight_row, some, out + row * tile_row, tile_row
                )
            else:
                float_tile_of_one(
                    start + row * stride, stride, here, weight_row, some, out + row * tile_row, tile_row
                )


@compiled
def multiply_bytes(fixed: Shorts, inputs: int, packed: int, block: int, tile: Floats) -> None:
    """The same with int8 weights, in units of both scales. The sums of a piece are exact."""
    count, pairs, stride = len(tile), (inputs + 1) // 2, fixed.strides[0]
    weight_row, tile_row = 2 * BLOCK, tile.strides[0]
    weights = packed + block * pairs * weight_row
    for first in range(0, pairs, CACHED_INPUTS):
        some = min(CACHED_INPUTS, pairs - first)
        here = weights + first * weight_row
        start, out = fixed.ctypes.data + 4 * first, tile.ctypes.data
        for row in range(0, count, 2):
            if row + 1 < count:
                byte_tile_of_two(
                    start + row * stride, stride, here, weight_row, some, out + row * tile_row, tile_row
                )
            else:
                byte_tile_of_one(
                    start + row * stride, stride, here, weight_row, some, out + row * tile_row, tile_row
                )


@compiled
def multiply(work: Pass, source: Floats, product: Product, block: int, tile: Floats) -> None:
    """tile = the outputs of a block for all rows of `source`."""
    tile[:] = 0
    first = block * BLOCK
    if work.shape.quantized:
        multiply_bytes(work.rows.fixed, source.shape[1], product.packed, block, tile)
        for row in range(len(tile)):
            for index in range(BLOCK):
                tile[row, index] *= work.rows.fixed_scales[row] * product.scales[first + index]
    else:
        multiply_floats(source, product.packed, block, tile)
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
