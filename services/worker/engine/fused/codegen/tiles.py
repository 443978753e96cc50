"""Matrix product kernels that keep their sums in vector registers; numba alone would keep them in memory.

A tile multiplies a few rows by the weights of up to BLOCK outputs. Each output is summed in one vector lane,
input by input in order, so its bits do not depend on the other rows. Addresses and strides are in bytes.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from llvmlite import ir
from numba import types

from services.worker.engine.fused.codegen.features import LANES, WIDE
from services.worker.engine.fused.codegen.ir_words import (
    BYTE,
    FLOAT,
    INT,
    LINE,
    LONG,
    SHORT,
    Builder,
    Value,
    broadcast,
    call,
    integer_vector,
    intrinsic,
    load_floats,
    loop,
    multiply_add,
    pointer,
    prefetch,
    scaled,
)

BLOCK: Final = 32
"""Outputs in a block of weights; for each input, a block stores the weights of all its outputs together."""

CACHED_INPUTS: Final = 128
"""Inputs (or pairs of int8 inputs) multiplied at a time: their weights stay in the first-level cache while
all rows are multiplied by them."""


class _Arguments(NamedTuple):
    """Arguments of every tile intrinsic. Each stride is the distance from one row to the next.

    count: rows of weights, that is, inputs or pairs of inputs.
    ahead, ahead_stride: weights that are prefetched for a later tile.
    """

    inputs: Value
    input_stride: Value
    weights: Value
    weight_stride: Value
    count: Value
    output: Value
    output_stride: Value
    ahead: Value
    ahead_stride: Value


Generate = Callable[[Builder, _Arguments], None]


def _tile(generate: Generate) -> Any:
    """An intrinsic that takes the nine fields of `_Arguments`."""

    @intrinsic
    def tile(
        typing_context: Any,
        inputs: Any,
        input_stride: Any,
        weights: Any,
        weight_stride: Any,
        count: Any,
        output: Any,
        output_stride: Any,
        ahead: Any,
        ahead_stride: Any,
    ) -> Any:
        def generate_all(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
            generate(builder, _Arguments(*arguments))
            return context.get_dummy_value()

        return types.void(*[types.int64] * 9), generate_all

    return tile


class Size(NamedTuple):
    """Size of a tile. lanes: numbers in one vector register.

    fetches: cache lines that it prefetches for every row of weights.
    """

    rows: int
    outputs: int
    lanes: int
    fetches: int = 0

    @property
    def vectors(self) -> int:
        return self.outputs // self.lanes


def _output_pointers(builder: Builder, size: Size, given: _Arguments) -> list[Value]:
    """Pointers to the vectors of the output, row by row."""
    floats = ir.VectorType(FLOAT, size.lanes)
    return [
        pointer(
            builder, given.output, scaled(builder, given.output_stride, row, 4 * size.lanes * part), floats
        )
        for row in range(size.rows)
        for part in range(size.vectors)
    ]


def _row_starts(builder: Builder, size: Size, given: _Arguments) -> list[Value]:
    return [builder.add(given.inputs, scaled(builder, given.input_stride, row)) for row in range(size.rows)]


def _fetch_ahead(builder: Builder, size: Size, given: _Arguments, index: Value) -> None:
    offset = builder.mul(index, given.ahead_stride)
    for line in range(size.fetches):
        prefetch(builder, given.ahead, builder.add(offset, LONG(LINE * line)))


def float_tile(size: Size, *, halves: bool = False) -> Any:
    """Make an intrinsic: output[r, o] += sum over k of inputs[r, k] * weights[k, o].

    halves: the weights are bfloat16, else float32.
    """
    width = (2 if halves else 4) * size.lanes

    def generate(builder: Builder, given: _Arguments) -> None:
        starts = _row_starts(builder, size, given)

        def add_products(index: Value, sums: list[Value]) -> list[Value]:
            here = builder.mul(index, given.weight_stride)
            offsets = [builder.add(here, LONG(width * part)) for part in range(size.vectors)]
            loaded = [
                load_floats(builder, given.weights, offset, size.lanes, halves=halves) for offset in offsets
            ]
            _fetch_ahead(builder, size, given, index)
            changed: list[Value] = []
            for row, start in enumerate(starts):
                number = builder.load(pointer(builder, start, scaled(builder, index, 4), FLOAT), align=4)
                factor = broadcast(builder, number, size.lanes)
                changed += [
                    multiply_add(builder, factor, vector, sums[row * size.vectors + part])
                    for part, vector in enumerate(loaded)
                ]
            return changed

        places = _output_pointers(builder, size, given)
        before = [builder.load(place, align=4) for place in places]
        for vector, place in zip(loop(builder, given.count, before, add_products), places, strict=True):
            builder.store(vector, place, align=4)

    return _tile(generate)


MULTIPLY_PAIRS: Final = {8: "llvm.x86.avx2.pmadd.wd", 16: "llvm.x86.avx512.pmaddw.d.512"}
"""Names of the instructions that multiply int16 vectors and add adjacent products, by lanes of the result."""


def _byte_tile(size: Size) -> Any:
    """Like `float_tile`, with int16 inputs, int8 weights [pairs, outputs, 2] and exact integer sums.

    A pair is two consecutive inputs; `count` counts pairs. The sums of a call must fit into 32 bits.
    """
    bytes_, pairs = (ir.VectorType(kind, 2 * size.lanes) for kind in (BYTE, SHORT))
    ints, floats = (ir.VectorType(kind, size.lanes) for kind in (INT, FLOAT))

    def generate(builder: Builder, given: _Arguments) -> None:
        starts = _row_starts(builder, size, given)

        def add_products(index: Value, sums: list[Value]) -> list[Value]:
            here = builder.mul(index, given.weight_stride)
            weights = [
                pointer(builder, given.weights, builder.add(here, LONG(2 * size.lanes * part)), bytes_)
                for part in range(size.vectors)
            ]
            _fetch_ahead(builder, size, given, index)
            widened = [builder.sext(builder.load(place, align=2 * size.lanes), pairs) for place in weights]
            changed: list[Value] = []
            for row, start in enumerate(starts):
                pair = builder.load(pointer(builder, start, scaled(builder, index, 4), INT), align=4)
                factor = builder.bitcast(broadcast(builder, pair, size.lanes), pairs)
                products = [
                    call(builder, MULTIPLY_PAIRS[size.lanes], ints, factor, vector) for vector in widened
                ]
                changed += [
                    builder.add(sums[row * size.vectors + part], product)
                    for part, product in enumerate(products)
                ]
            return changed

        exact = loop(
            builder, given.count, [integer_vector(0, size.lanes)] * (size.rows * size.vectors), add_products
        )
        places = _output_pointers(builder, size, given)
        for sums, place in zip(exact, places, strict=True):
            total = builder.fadd(builder.load(place, align=4), builder.sitofp(sums, floats))
            builder.store(total, place, align=4)

    return _tile(generate)


MANY, MANY_OUTPUTS = (8, BLOCK) if WIDE > LANES else (6, BLOCK // 2)
"""Rows and outputs of the largest tile: its sums, its weights and one input fill the vector registers."""


class Tiles(NamedTuple):
    """Tile intrinsics for one row and for two rows (BLOCK outputs), and for MANY rows (MANY_OUTPUTS)."""

    of_one: Any
    of_two: Any
    of_many: Any


def _tiles(make: Callable[[Size], Any], width: int) -> Tiles:
    """Make the three tiles. width: bytes that one output has in a row of weights.

    A call prefetches at most as many cache lines as it reads.
    """
    sizes = ((1, BLOCK), (2, BLOCK), (MANY, MANY_OUTPUTS))
    return Tiles(
        *(make(Size(rows, outputs, WIDE, max(1, width * outputs // LINE))) for rows, outputs in sizes)
    )


FLOAT_TILES: Final = _tiles(float_tile, 4)
HALF_TILES: Final = _tiles(partial(float_tile, halves=True), 2)
BYTE_TILES: Final = _tiles(_byte_tile, 2)
