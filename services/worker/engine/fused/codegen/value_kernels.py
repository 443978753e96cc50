"""Attention kernels: sums of values, weighted by their scores. Addresses and strides are in bytes."""

from typing import Any, Final

from llvmlite import ir
from numba import types

from services.worker.engine.fused.codegen.features import LANES, WIDE
from services.worker.engine.fused.codegen.ir_words import (
    FLOAT,
    INT,
    LINE,
    LONG,
    Builder,
    Value,
    broadcast,
    intrinsic,
    load_step,
    loop,
    multiply_add,
    pointer,
    prefetch,
    scaled,
)

HEAD: Final = 64
"""Numbers of a head that the large kernels handle in one call: the usual head size."""
AT_ONCE: Final = 2 if WIDE > LANES else 1
"""Values in one loop step, as many as registers allow. Their sums are independent, which hides latency."""


def _value_index(builder: Builder, index: Value, turn: int, count: Value) -> tuple[Value, Value]:
    """Index of the value number `turn` of a step, and whether it exists; if not, the step's first index."""
    first = scaled(builder, index, AT_ONCE)
    place = builder.add(first, LONG(turn))
    there = builder.icmp_signed("<", place, count)
    return builder.select(there, place, first), there


def _interleave(builder: Builder, evens: Value, odds: Value) -> list[Value]:
    """Merge the even and odd numbers that `load_step` separated back into their order."""
    lanes = evens.type.count
    places = [part * lanes + lane for lane in range(lanes) for part in range(2)]
    return [
        builder.shuffle_vector(evens, odds, ir.Constant(ir.VectorType(INT, lanes), half))
        for half in (places[:lanes], places[lanes:])
    ]


def _weigh_values(numbers: int, lanes: int, *, halves: bool) -> Any:
    """Make an intrinsic: output = factor * sum over i of weights[i] * values[i], for `count` values.

    numbers: length of a value. The weights are contiguous, the values `stride` bytes apart.
    halves: the values are bfloat16. ahead: address from which as many bytes are prefetched.
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
                    place, there = _value_index(builder, index, turn, count)
                    weight = builder.load(
                        pointer(builder, weights, scaled(builder, place, 4), FLOAT), align=4
                    )
                    number = broadcast(builder, builder.select(there, weight, FLOAT(0.0)), lanes)
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
            scale = broadcast(builder, factor, lanes)
            for step in range(steps):
                pair: list[Value] = []
                for part in range(2):
                    first, *others = sums[2 * step + part :: 2 * steps]
                    for other in others:
                        first = builder.fadd(first, other)
                    pair.append(builder.fmul(first, scale))
                for half, vector in enumerate(_interleave(builder, *pair) if halves else pair):
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
"""`weigh_*_heads` sum HEAD numbers per call; `weigh_*_steps` sum the remaining numbers, sixteen per call."""
