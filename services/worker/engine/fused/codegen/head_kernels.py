"""Attention kernels: dot products of a query with keys, and writes into the key-value pool.

Addresses and strides are in bytes.
"""

from typing import Any, Final

from llvmlite import ir
from numba import types

from services.worker.engine.fused.codegen.features import LANES
from services.worker.engine.fused.codegen.ir_words import (
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
"""Numbers of a head in one loop step: two vectors of float32, or one vector of bfloat16 pairs."""
KEYS: Final = 4
"""Keys in one loop step. Their sums are independent, which hides the latency of multiply-add."""


def _add_neighbours(builder: Builder, first: Value, second: Value) -> Value:
    """Sums of adjacent lanes; each half of the result has two of the first vector, then two of the second."""
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
    """A vector of the lane sums of KEYS vectors."""
    one, two, three, four = vectors
    pairs = _add_neighbours(
        builder, _add_neighbours(builder, one, two), _add_neighbours(builder, three, four)
    )
    low, high = (
        ir.Constant(ir.VectorType(INT, KEYS), list(range(first, first + KEYS))) for first in (0, KEYS)
    )
    return builder.fadd(builder.shuffle_vector(pairs, pairs, low), builder.shuffle_vector(pairs, pairs, high))


@intrinsic
def deinterleave_query(typing_context: Any, source: Any, steps: Any, output: Any) -> Any:
    """Reorder a query within each step: even places first, then odd ones, as `load_step` loads a key."""

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
    """Make an intrinsic: output[k] = query . keys[k], for `groups` * KEYS keys of `steps` * STEP numbers.

    halves: the keys are bfloat16, and the query is in the order of `deinterleave_query`.
    ahead: address from which as many bytes as the keys have are prefetched.
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
    """Prefetch `size` bytes at an address; `size` is at least 1."""

    def generate(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
        address, size = arguments

        def fetch(line: Value, _: list[Value]) -> list[Value]:
            prefetch(builder, address, scaled(builder, line, LINE))
            return []

        loop(builder, builder.udiv(builder.add(size, LONG(LINE - 1)), LONG(LINE)), [], fetch)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 2), generate


def _store_numbers(*, halves: bool) -> Any:
    """Make an intrinsic that copies `vectors` * LANES float32 numbers. halves: it writes them as bfloat16."""

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
