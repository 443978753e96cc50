"""Machine code of attention: sums of values, weighed by their scores. Addresses and strides are in bytes."""

from typing import Any, Final

from llvmlite import ir
from numba import types

from services.worker.engine.fused.features import LANES, WIDE
from services.worker.engine.fused.ir_words import (
    FLOAT,
    INT,
    LINE,
    LONG,
    Builder,
    Value,
    intrinsic,
    load_step,
    loop,
    multiply_add,
    pointer,
    prefetch,
    scaled,
    spread,
)

HEAD: Final = 64
"""Numbers of most heads."""
AT_ONCE: Final = 2 if WIDE > LANES else 1
"""Values that are added up side by side, so that sums need not wait for each other: as registers allow."""


def _place_in_turn(builder: Builder, index: Value, turn: int, count: Value) -> tuple[Value, Value]:
    """Which value comes in this turn of a step, and whether it is one: else it is the first of the step."""
    first = scaled(builder, index, AT_ONCE)
    place = builder.add(first, LONG(turn))
    there = builder.icmp_signed("<", place, count)
    return builder.select(there, place, first), there


def _join_pairs(builder: Builder, evens: Value, odds: Value) -> list[Value]:
    """Numbers that `load_step` has parted, in their order again."""
    lanes = evens.type.count
    places = [part * lanes + lane for lane in range(lanes) for part in range(2)]
    return [
        builder.shuffle_vector(evens, odds, ir.Constant(ir.VectorType(INT, lanes), half))
        for half in (places[:lanes], places[lanes:])
    ]


def _weigh_values(numbers: int, lanes: int, *, halves: bool) -> Any:
    """output = factor times the sum of `count` values of so many numbers, each times its weight.

    The weights lie side by side, the values a stride apart. halves: the values are bfloat16. ahead: where as
    many bytes are fetched into the cache meanwhile.
    """
    steps = numbers // (2 * lanes)
    width = (2 if halves else 4) * 2 * lanes

    @intrinsic
    def weigh_values(
        typing_context: Any,
        weights: Any,
        values: Any,
        stride: Any,
        count: Any,
        factor: Any,
        output: Any,
        ahead: Any,
    ) -> Any:
        def generate(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
            weights, values, stride, count, factor, output, ahead = arguments

            def add_values(index: Value, sums: list[Value]) -> list[Value]:
                changed: list[Value] = []
                for turn in range(AT_ONCE):
                    place, there = _place_in_turn(builder, index, turn, count)
                    weight = builder.load(
                        pointer(builder, weights, scaled(builder, place, 4), FLOAT), align=4
                    )
                    number = spread(builder, builder.select(there, weight, FLOAT(0.0)), lanes)
                    offset = builder.mul(place, stride)
                    for line in range(0, steps * width, LINE):
                        prefetch(builder, ahead, builder.add(offset, LONG(line)))
                    parts = [
                        part
                        for step in range(steps)
                        for part in load_step(
                            builder, values, builder.add(offset, LONG(width * step)), lanes, halves=halves
                        )
                    ]
                    before = sums[turn * len(parts) : (turn + 1) * len(parts)]
                    changed += [
                        multiply_add(builder, number, part, total)
                        for part, total in zip(parts, before, strict=True)
                    ]
                return changed

            zeros = [ir.Constant(ir.VectorType(FLOAT, lanes), [0.0] * lanes)] * (2 * steps * AT_ONCE)
            rounds = builder.udiv(builder.add(count, LONG(AT_ONCE - 1)), LONG(AT_ONCE))
            sums = loop(builder, rounds, zeros, add_values)
            scale = spread(builder, factor, lanes)
            for step in range(steps):
                pair: list[Value] = []
                for part in range(2):
                    first, *others = sums[2 * step + part :: 2 * steps]
                    for other in others:
                        first = builder.fadd(first, other)
                    pair.append(builder.fmul(first, scale))
                for half, vector in enumerate(_join_pairs(builder, *pair) if halves else pair):
                    there = LONG(4 * lanes * (2 * step + half))
                    builder.store(vector, pointer(builder, output, there, vector.type), align=4)
            return context.get_dummy_value()

        addresses = types.int64
        return types.void(*[addresses] * 4, types.float32, *[addresses] * 2), generate

    return weigh_values


weigh_float_heads, weigh_half_heads = (_weigh_values(HEAD, WIDE, halves=halves) for halves in (False, True))
weigh_float_steps, weigh_half_steps = (
    _weigh_values(2 * LANES, LANES, halves=halves) for halves in (False, True)
)
"""Of whole heads; of what is left of larger or smaller ones, by steps of sixteen numbers."""
