"""Tiles of matrix products that stay in vector registers: numba alone would keep their sums in memory.

A tile multiplies a few rows by the weights of BLOCK outputs. Each output's sum is one chain over the inputs,
in their order, in one lane: nothing else of the call can change its bits. Addresses and strides are in bytes.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from llvmlite import ir
from numba import types

from services.worker.engine.fused.ir_words import (
    BYTE,
    FLOAT,
    FLOATS,
    INT,
    INTS,
    LANES,
    LONG,
    SHORT,
    ZEROS,
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
    store_halves,
    sum_of_lanes,
)

VECTORS: Final = 4
BLOCK: Final = LANES * VECTORS
"""Outputs of a tile: two rows of them fill the sixteen vector registers of AVX2."""

CACHED_INPUTS: Final = 128
"""Inputs, or pairs of them, of a block whose weights stay in the first cache while all rows meet them."""

_PAIRS, _BYTE_PAIRS = (ir.VectorType(kind, 2 * LANES) for kind in (SHORT, BYTE))


class _Arguments(NamedTuple):
    """Of every tile. Rows of inputs, weights and output are a stride apart; count: rows of weights."""

    inputs: Value
    input_stride: Value
    weights: Value
    weight_stride: Value
    count: Value
    output: Value
    output_stride: Value


Generate = Callable[[Builder, _Arguments], None]


def _tile(generate: Generate) -> Any:
    """An intrinsic of the seven addresses, strides and counts of `_Arguments`."""

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
    ) -> Any:
        def generate_all(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
            generate(builder, _Arguments(*arguments))
            return context.get_dummy_value()

        return types.void(*[types.int64] * 7), generate_all

    return tile


def _places(builder: Builder, rows: int, vectors: int, output: Value, stride: Value) -> list[Value]:
    return [
        pointer(builder, output, scaled(builder, stride, row, 4 * LANES * part), FLOATS)
        for row in range(rows)
        for part in range(vectors)
    ]


def _row_starts(builder: Builder, rows: int, given: _Arguments) -> list[Value]:
    return [builder.add(given.inputs, scaled(builder, given.input_stride, row)) for row in range(rows)]


def _float_tile(rows: int, vectors: int, *, halves: bool = False, ahead: int = 0) -> Any:
    """output[r, o] += sum over k of inputs[r, k] * weights[k, o], for `vectors` of float32 outputs.

    halves: the weights are bfloat16. ahead: how many bytes before its turn a weight is fetched.
    """
    size = 2 if halves else 4

    def generate(builder: Builder, given: _Arguments) -> None:
        starts = _row_starts(builder, rows, given)

        def add_products(index: Value, sums: list[Value]) -> list[Value]:
            here = builder.mul(index, given.weight_stride)
            offsets = [builder.add(here, LONG(size * LANES * part)) for part in range(vectors)]
            loaded = [load_floats(builder, given.weights, offset, halves=halves) for offset in offsets]
            if ahead:
                prefetch(builder, given.weights, builder.add(here, LONG(ahead)))
            changed: list[Value] = []
            for row, start in enumerate(starts):
                number = builder.load(pointer(builder, start, scaled(builder, index, 4), FLOAT), align=4)
                factor = spread(builder, number)
                changed += [
                    multiply_add(builder, factor, vector, sums[row * vectors + part])
                    for part, vector in enumerate(loaded)
                ]
            return changed

        places = _places(builder, rows, vectors, given.output, given.output_stride)
        before = [builder.load(place, align=4) for place in places]
        for vector, place in zip(loop(builder, given.count, before, add_products), places, strict=True):
            builder.store(vector, place, align=4)

    return _tile(generate)


def _byte_tile(rows: int, vectors: int, *, ahead: int = 0) -> Any:
    """The same in exact sums of int16 inputs times int8 weights [pairs, outputs, 2].

    A pair is two inputs, one after the other; `count` counts pairs. The sums of a call must fit into 32 bits.
    """

    def generate(builder: Builder, given: _Arguments) -> None:
        starts = _row_starts(builder, rows, given)

        def add_products(index: Value, sums: list[Value]) -> list[Value]:
            here = builder.mul(index, given.weight_stride)
            weights = [
                pointer(builder, given.weights, builder.add(here, LONG(2 * LANES * part)), _BYTE_PAIRS)
                for part in range(vectors)
            ]
            if ahead:
                prefetch(builder, given.weights, builder.add(here, LONG(ahead)))
            widened = [builder.sext(builder.load(place, align=2 * LANES), _PAIRS) for place in weights]
            changed: list[Value] = []
            for row, start in enumerate(starts):
                pair = builder.load(pointer(builder, start, scaled(builder, index, 4), INT), align=4)
                factor = builder.bitcast(spread(builder, pair), _PAIRS)
                products = [
                    call(builder, "llvm.x86.avx2.pmadd.wd", INTS, factor, vector) for vector in widened
                ]
                changed += [
                    builder.add(sums[row * vectors + part], product) for part, product in enumerate(products)
                ]
            return changed

        exact = loop(builder, given.count, [everywhere(0)] * (rows * vectors), add_products)
        places = _places(builder, rows, vectors, given.output, given.output_stride)
        for sums, place in zip(exact, places, strict=True):
            floats = builder.fadd(builder.load(place, align=4), builder.sitofp(sums, FLOATS))
            builder.store(floats, place, align=4)

    return _tile(generate)


class Tiles(NamedTuple):
    """One or two rows and a block of outputs; six rows and half a block, the other half in another call."""

    of_one: Any
    of_two: Any
    of_six: Any


_AHEAD = CACHED_INPUTS * BLOCK
FLOAT_TILES: Final = Tiles(
    _float_tile(1, VECTORS), _float_tile(2, VECTORS), _float_tile(6, VECTORS // 2, ahead=4 * _AHEAD)
)
HALF_TILES: Final = Tiles(
    _float_tile(1, VECTORS, halves=True),
    _float_tile(2, VECTORS, halves=True),
    _float_tile(6, VECTORS // 2, halves=True, ahead=2 * _AHEAD),
)
BYTE_TILES: Final = Tiles(
    _byte_tile(1, VECTORS),
    _byte_tile(2, VECTORS, ahead=2 * _AHEAD),
    _byte_tile(6, VECTORS // 2, ahead=2 * _AHEAD),
)
FLOAT_VECTOR: Final = _float_tile(1, 1)
HALF_VECTOR: Final = _float_tile(1, 1, halves=True)
"""Tiles of one row and LANES outputs."""


def _dot_products(*, halves: bool) -> Any:
    """output[k] = query . keys[k], of `vectors` times LANES numbers. halves: the keys are bfloat16."""

    @intrinsic
    def dot_products(
        typing_context: Any, query: Any, keys: Any, key_stride: Any, vectors: Any, count: Any, output: Any
    ) -> Any:
        def generate(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
            query, keys, key_stride, vectors, count, output = arguments

            def multiply_key(key: Value, _: list[Value]) -> list[Value]:
                start = builder.add(keys, builder.mul(key, key_stride))

                def add_products(index: Value, sums: list[Value]) -> list[Value]:
                    first = load_floats(builder, query, scaled(builder, index, 4 * LANES), halves=False)
                    step = (2 if halves else 4) * LANES
                    second = load_floats(builder, start, scaled(builder, index, step), halves=halves)
                    return [multiply_add(builder, first, second, sums[0])]

                [lanes] = loop(builder, vectors, [ZEROS], add_products)
                place = pointer(builder, output, scaled(builder, key, 4), FLOAT)
                builder.store(sum_of_lanes(builder, lanes), place, align=4)
                return []

            loop(builder, count, [], multiply_key)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 6), generate

    return dot_products


float_dot_products, half_dot_products = _dot_products(halves=False), _dot_products(halves=True)


def _store_numbers(*, halves: bool) -> Any:
    """Copy `vectors` times LANES float32 numbers. halves: as bfloat16."""

    @intrinsic
    def store_numbers(typing_context: Any, source: Any, vectors: Any, output: Any) -> Any:
        def generate(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
            source, vectors, output = arguments

            def copy(index: Value, _: list[Value]) -> list[Value]:
                offset = scaled(builder, index, 4 * LANES)
                floats = load_floats(builder, source, offset, halves=False)
                if halves:
                    store_halves(builder, floats, output, scaled(builder, index, 2 * LANES))
                else:
                    builder.store(floats, pointer(builder, output, offset, FLOATS), align=4)
                return []

            loop(builder, vectors, [], copy)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 3), generate

    return store_numbers


store_as_floats, store_as_halves = _store_numbers(halves=False), _store_numbers(halves=True)
