"""Machine code of attention: a query's products with keys, and what is stored.

Addresses and strides are in bytes.
"""

from typing import Any, Final

from llvmlite import ir
from numba import types

from services.worker.engine.fused.features import LANES
from services.worker.engine.fused.ir_words import (
    FLOATS,
    INT,
    LINE,
    LONG,
    ZEROS,
    Builder,
    Value,
    intrinsic,
    load_floats,
    load_step,
    loop,
    multiply_add,
    pointer,
    prefetch,
    scaled,
    store_halves,
)

STEP: Final = 2 * LANES
"""Numbers of a head that are met at once: two vectors of float32, or one of pairs of bfloat16."""
KEYS: Final = 4
"""Keys that a query meets at once, so that their sums need not wait for one another."""


def _add_neighbours(builder: Builder, first: Value, second: Value) -> Value:
    """Sums of lanes beside each other: two of the first vector, then two of the second, in each half."""
    evens, odds = (
        ir.Constant(
            ir.VectorType(INT, LANES),
            [half + which + lane for half in (0, 4) for which in (0, LANES) for lane in (odd, odd + 2)],
        )
        for odd in (0, 1)
    )
    return builder.fadd(
        builder.shuffle_vector(first, second, evens), builder.shuffle_vector(first, second, odds)
    )


def _sums_of_lanes(builder: Builder, vectors: list[Value]) -> Value:
    """The sum of each of KEYS vectors, as one vector."""
    one, two, three, four = vectors
    pairs = _add_neighbours(
        builder, _add_neighbours(builder, one, two), _add_neighbours(builder, three, four)
    )
    low, high = (
        ir.Constant(ir.VectorType(INT, KEYS), list(range(first, first + KEYS))) for first in (0, KEYS)
    )
    return builder.fadd(builder.shuffle_vector(pairs, pairs, low), builder.shuffle_vector(pairs, pairs, high))


@intrinsic
def part_pairs(typing_context: Any, source: Any, steps: Any, output: Any) -> Any:
    """Put the numbers at even places of each step before those at odd ones, as `load_step` has a key's."""

    def generate(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
        source, steps, output = arguments

        def part(index: Value, _: list[Value]) -> list[Value]:
            place = scaled(builder, index, 4 * STEP)
            first, second = load_step(builder, source, place, LANES, halves=False)
            for odd in range(2):
                lanes = ir.Constant(ir.VectorType(INT, LANES), list(range(odd, STEP, 2)))
                parted = builder.shuffle_vector(first, second, lanes)
                there = builder.add(place, LONG(4 * LANES * odd))
                builder.store(parted, pointer(builder, output, there, FLOATS), align=4)
            return []

        loop(builder, steps, [], part)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 3), generate


def _dot_products(*, halves: bool) -> Any:
    """output[k] = query . keys[k], of `steps` times STEP numbers, for `groups` times KEYS keys.

    halves: the keys are bfloat16, the query is parted as theirs. ahead: where as many bytes are fetched
    into the cache meanwhile.
    """
    width = (2 if halves else 4) * STEP

    @intrinsic
    def dot_products(
        typing_context: Any,
        query: Any,
        keys: Any,
        key_stride: Any,
        steps: Any,
        groups: Any,
        output: Any,
        ahead: Any,
    ) -> Any:
        def generate(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
            query, keys, key_stride, steps, groups, output, ahead = arguments
            group_stride = builder.mul(key_stride, LONG(KEYS))

            def multiply_keys(group: Value, _: list[Value]) -> list[Value]:
                offset = builder.mul(group, group_stride)
                first = builder.add(keys, offset)
                starts = [builder.add(first, scaled(builder, key_stride, key)) for key in range(KEYS)]
                fetched = builder.add(ahead, offset)

                def add_products(index: Value, sums: list[Value]) -> list[Value]:
                    numbers = load_step(builder, query, scaled(builder, index, 4 * STEP), LANES, halves=False)
                    place = scaled(builder, index, width)
                    for line in range(0, KEYS * width, LINE):
                        prefetch(builder, fetched, scaled(builder, index, KEYS * width, line))
                    changed: list[Value] = []
                    for key, start in enumerate(starts):
                        halves_of_key = load_step(builder, start, place, LANES, halves=halves)
                        changed += [
                            multiply_add(builder, number, part, total)
                            for number, part, total in zip(
                                numbers, halves_of_key, sums[2 * key : 2 * key + 2], strict=True
                            )
                        ]
                    return changed

                sums = loop(builder, steps, [ZEROS] * (2 * KEYS), add_products)
                whole = [
                    builder.fadd(first, second) for first, second in zip(sums[::2], sums[1::2], strict=True)
                ]
                products = _sums_of_lanes(builder, whole)
                place = pointer(builder, output, scaled(builder, group, 4 * KEYS), products.type)
                builder.store(products, place, align=4)
                return []

            loop(builder, groups, [], multiply_keys)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 7), generate

    return dot_products


float_dot_products, half_dot_products = _dot_products(halves=False), _dot_products(halves=True)


@intrinsic
def fetch_lines(typing_context: Any, address: Any, size: Any) -> Any:
    """Ask for so many bytes at an address, at least one, which will be read soon."""

    def generate(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
        address, size = arguments

        def fetch(line: Value, _: list[Value]) -> list[Value]:
            prefetch(builder, address, scaled(builder, line, LINE))
            return []

        loop(builder, builder.udiv(builder.add(size, LONG(LINE - 1)), LONG(LINE)), [], fetch)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 2), generate


def _store_numbers(*, halves: bool) -> Any:
    """Copy `vectors` times LANES float32 numbers. halves: as bfloat16."""

    @intrinsic
    def store_numbers(typing_context: Any, source: Any, vectors: Any, output: Any) -> Any:
        def generate(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
            source, vectors, output = arguments

            def copy(index: Value, _: list[Value]) -> list[Value]:
                offset = scaled(builder, index, 4 * LANES)
                floats = load_floats(builder, source, offset, LANES, halves=False)
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
