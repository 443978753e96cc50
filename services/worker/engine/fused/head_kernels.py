"""Machine code of attention: a query's products with keys, sums of values, and what is stored.

Addresses and strides are in bytes.
"""

from typing import Any, Final

from numba import types

from services.worker.engine.fused.features import LANES, WIDE
from services.worker.engine.fused.ir_words import (
    FLOAT,
    FLOATS,
    LINE,
    LONG,
    ZEROS,
    Builder,
    Value,
    intrinsic,
    load_floats,
    loop,
    multiply_add,
    pointer,
    prefetch,
    scaled,
    store_halves,
    sum_of_lanes,
)
from services.worker.engine.fused.tiles import Size, float_tile

HEAD: Final = 64
"""Numbers of most heads: a tile of so many outputs adds up their values."""
FLOAT_HEAD: Final = float_tile(Size(1, HEAD, WIDE, 4 * HEAD // LINE))
HALF_HEAD: Final = float_tile(Size(1, HEAD, WIDE, 2 * HEAD // LINE), halves=True)
FLOAT_VECTOR: Final = float_tile(Size(1, LANES, LANES))
HALF_VECTOR: Final = float_tile(Size(1, LANES, LANES), halves=True)
"""Tiles of one row and LANES outputs."""

KEYS: Final = 4
"""Keys that a query meets at once, so that their sums need not wait for one another."""


def _dot_products(*, halves: bool) -> Any:
    """output[k] = query . keys[k], of `vectors` times LANES numbers; `groups` times KEYS keys.

    halves: the keys are bfloat16. ahead: where as many bytes are fetched into the cache meanwhile.
    """
    width = (2 if halves else 4) * LANES

    @intrinsic
    def dot_products(
        typing_context: Any,
        query: Any,
        keys: Any,
        key_stride: Any,
        vectors: Any,
        groups: Any,
        output: Any,
        ahead: Any,
    ) -> Any:
        def generate(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
            query, keys, key_stride, vectors, groups, output, ahead = arguments
            group_stride = builder.mul(key_stride, LONG(KEYS))
            lines = builder.udiv(builder.add(group_stride, LONG(LINE - 1)), LONG(LINE))

            def multiply_keys(group: Value, _: list[Value]) -> list[Value]:
                offset = builder.mul(group, group_stride)
                starts = [
                    builder.add(builder.add(keys, offset), scaled(builder, key_stride, key))
                    for key in range(KEYS)
                ]

                def fetch(line: Value, _: list[Value]) -> list[Value]:
                    prefetch(builder, builder.add(ahead, offset), scaled(builder, line, LINE))
                    return []

                def add_products(index: Value, sums: list[Value]) -> list[Value]:
                    place = scaled(builder, index, 4 * LANES)
                    number = load_floats(builder, query, place, LANES, halves=False)
                    place = scaled(builder, index, width)
                    loaded = [load_floats(builder, start, place, LANES, halves=halves) for start in starts]
                    return [
                        multiply_add(builder, number, key, total)
                        for key, total in zip(loaded, sums, strict=True)
                    ]

                loop(builder, lines, [], fetch)
                for key, lanes in enumerate(loop(builder, vectors, [ZEROS] * KEYS, add_products)):
                    place = pointer(builder, output, scaled(builder, group, 4 * KEYS, 4 * key), FLOAT)
                    builder.store(sum_of_lanes(builder, lanes), place, align=4)
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
