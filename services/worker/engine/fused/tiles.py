"""Tiles of matrix products that stay in vector registers: numba alone would keep their sums in memory.

A tile multiplies a few rows by the weights of BLOCK outputs. Each output's sum is one chain over the inputs,
in their order, in one lane: nothing else of the call can change its bits. Addresses and strides are in bytes.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from llvmlite import ir
from numba import types

from services.worker.engine.fused.features import LANES, WIDE
from services.worker.engine.fused.ir_words import (
    BYTE,
    FLOAT,
    INT,
    LINE,
    LONG,
    SHORT,
    Builder,
    Value,
    call,
    everywhere,
    intrinsic,
    load_floats,
    loop,
    multiply_add,
    pointer,
    prefetch,
    scaled,
    spread,
)

BLOCK: Final = 32
"""Outputs of a tile; a block of weights holds them side by side."""

CACHED_INPUTS: Final = 128
"""Inputs, or pairs of them, of a block whose weights stay in the first cache while all rows meet them."""


class _Arguments(NamedTuple):
    """Of every tile. Rows of inputs, weights and output are a stride apart; count: rows of weights.

    ahead, ahead_stride: what is fetched into the cache meanwhile, for a later tile.
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
    """An intrinsic of the nine addresses, strides and counts of `_Arguments`."""

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
    """Rows and outputs of a tile, and the numbers of the vectors that its sums are held in.

    fetches: cache lines that it fetches ahead for every row of weights.
    """

    rows: int
    outputs: int
    lanes: int
    fetches: int = 0

    @property
    def vectors(self) -> int:
        return self.outputs // self.lanes


def _places(builder: Builder, size: Size, given: _Arguments) -> list[Value]:
    """Of the output's vectors, row by row."""
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
    """output[r, o] += sum over k of inputs[r, k] * weights[k, o]. halves: the weights are bfloat16."""
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
                factor = spread(builder, number, size.lanes)
                changed += [
                    multiply_add(builder, factor, vector, sums[row * size.vectors + part])
                    for part, vector in enumerate(loaded)
                ]
            return changed

        places = _places(builder, size, given)
        before = [builder.load(place, align=4) for place in places]
        for vector, place in zip(loop(builder, given.count, before, add_products), places, strict=True):
            builder.store(vector, place, align=4)

    return _tile(generate)


MULTIPLY_PAIRS: Final = {8: "llvm.x86.avx2.pmadd.wd", 16: "llvm.x86.avx512.pmaddw.d.512"}
"""Sums of the products of two int16 beside each other, by the sums of a vector."""


def _byte_tile(size: Size) -> Any:
    """The same in exact sums of int16 inputs times int8 weights [pairs, outputs, 2].

    A pair is two inputs, one after the other; `count` counts pairs. The sums of a call must fit into 32 bits.
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
                factor = builder.bitcast(spread(builder, pair, size.lanes), pairs)
                products = [
                    call(builder, MULTIPLY_PAIRS[size.lanes], ints, factor, vector) for vector in widened
                ]
                changed += [
                    builder.add(sums[row * size.vectors + part], product)
                    for part, product in enumerate(products)
                ]
            return changed

        exact = loop(
            builder, given.count, [everywhere(0, size.lanes)] * (size.rows * size.vectors), add_products
        )
        places = _places(builder, size, given)
        for sums, place in zip(exact, places, strict=True):
            total = builder.fadd(builder.load(place, align=4), builder.sitofp(sums, floats))
            builder.store(total, place, align=4)

    return _tile(generate)


MANY, MANY_OUTPUTS = (8, BLOCK) if WIDE > LANES else (6, BLOCK // 2)
"""Rows and outputs of the largest tile: its sums, weights and an input fill the vector registers."""


class Tiles(NamedTuple):
    """Of one or two rows and a block of outputs; of MANY rows and MANY_OUTPUTS."""

    of_one: Any
    of_two: Any
    of_many: Any


def _tiles(make: Callable[[Size], Any], width: int) -> Tiles:
    """width: bytes of the weights of one output. A call fetches no more lines ahead than it reads."""
    sizes = ((1, BLOCK), (2, BLOCK), (MANY, MANY_OUTPUTS))
    return Tiles(
        *(make(Size(rows, outputs, WIDE, max(1, width * outputs // LINE))) for rows, outputs in sizes)
    )


FLOAT_TILES: Final = _tiles(float_tile, 4)
HALF_TILES: Final = _tiles(partial(float_tile, halves=True), 2)
BYTE_TILES: Final = _tiles(_byte_tile, 2)
