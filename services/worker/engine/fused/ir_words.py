"""Words for writing LLVM IR: vectors, places in memory, loops. Addresses and strides are in bytes."""

from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic as typed_intrinsic

from services.worker.engine.fused.features import LANES

LINE: Final = 64
"""Bytes that a cache fetches at once."""

BYTE, SHORT, INT, LONG = (ir.IntType(bits) for bits in (8, 16, 32, 64))
FLOAT = ir.FloatType()
FLOATS = ir.VectorType(FLOAT, LANES)
ZEROS = ir.Constant(FLOATS, [0.0] * LANES)
UPPER: Final = 0xFFFF0000 - (1 << 32)
"""The bits of a float32, as a signed integer, that a bfloat16 has."""

Builder = Any
"""llvmlite's IRBuilder, which has no types."""
Value = Any
intrinsic: Any = typed_intrinsic
"""Who calls an intrinsic leaves the first argument out, which no type checker knows."""


def pointer(builder: Builder, address: Value, offset: Value, kind: Any) -> Value:
    """To a value of this kind."""
    return builder.inttoptr(builder.add(address, offset), kind.as_pointer())


def scaled(builder: Builder, index: Value, factor: int, more: int = 0) -> Value:
    """index * factor + more."""
    return builder.add(builder.mul(index, LONG(factor)), LONG(more))


def spread(builder: Builder, scalar: Value, lanes: int) -> Value:
    """The scalar in every lane."""
    vector = ir.VectorType(scalar.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, INT(0))
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), everywhere(0, lanes))


def everywhere(number: int, lanes: int) -> Value:
    """A vector of this integer."""
    return ir.Constant(ir.VectorType(INT, lanes), [number] * lanes)


def call(builder: Builder, name: str, result: Any, *arguments: Value) -> Value:
    """Call a function that LLVM or the C library has."""
    signature = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), arguments)


def multiply_add(builder: Builder, first: Value, second: Value, total: Value) -> Value:
    """first * second + total, rounded once."""
    return call(builder, f"llvm.fma.v{total.type.count}f32", total.type, first, second, total)


def loop(
    builder: Builder, count: Value, start: list[Value], body: Callable[[Value, list[Value]], list[Value]]
) -> list[Value]:
    """`state = body(index, state)` for at least one index below `count`; the last state."""
    before = builder.block
    head, after = builder.append_basic_block("tile"), builder.append_basic_block("tiled")
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(LONG)
    state = [builder.phi(value.type) for value in start]
    changed = body(index, state)
    following = builder.add(index, LONG(1))
    for variable, first, later in zip([index, *state], [LONG(0), *start], [following, *changed], strict=True):
        variable.add_incoming(first, before)
        variable.add_incoming(later, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, count), head, after)
    builder.position_at_end(after)
    return changed


def prefetch(builder: Builder, address: Value, offset: Value, *, first_cache: bool = False) -> None:
    """Ask for a cache line that will be read later: for the second cache, or the first."""
    place = pointer(builder, address, offset, BYTE)
    reading, locality, data = INT(0), INT(3 if first_cache else 2), INT(1)
    call(builder, "llvm.prefetch.p0", ir.VoidType(), place, reading, locality, data)


def load_floats(builder: Builder, address: Value, offset: Value, lanes: int, *, halves: bool) -> Value:
    """Numbers as float32. halves: they are bfloat16, the upper half of a float32."""
    floats, ints, shorts = (ir.VectorType(kind, lanes) for kind in (FLOAT, INT, SHORT))
    if not halves:
        return builder.load(pointer(builder, address, offset, floats), align=4)
    short = builder.load(pointer(builder, address, offset, shorts), align=2)
    return builder.bitcast(builder.shl(builder.zext(short, ints), everywhere(16, lanes)), floats)


def load_step(builder: Builder, address: Value, offset: Value, lanes: int, *, halves: bool) -> list[Value]:
    """Two vectors of numbers that follow one another. halves: bfloat16, those at even places first.

    Pairs are parted by shifts and masks, which a CPU has more units for than for widening.
    """
    floats, ints = (ir.VectorType(kind, lanes) for kind in (FLOAT, INT))
    if not halves:
        return [
            load_floats(builder, address, builder.add(offset, LONG(4 * lanes * half)), lanes, halves=False)
            for half in range(2)
        ]
    pairs = builder.load(pointer(builder, address, offset, ints), align=2)
    evens = builder.shl(pairs, everywhere(16, lanes))
    return [builder.bitcast(each, floats) for each in (evens, builder.and_(pairs, everywhere(UPPER, lanes)))]


def store_halves(builder: Builder, floats: Value, address: Value, offset: Value) -> None:
    """Numbers as bfloat16, rounded to the nearest, from the middle to the even one."""
    lanes = floats.type.count
    ints, shorts = (ir.VectorType(kind, lanes) for kind in (INT, SHORT))
    bits = builder.bitcast(floats, ints)
    upper = everywhere(16, lanes)
    odd = builder.and_(builder.lshr(bits, upper), everywhere(1, lanes))
    rounded = builder.add(bits, builder.add(odd, everywhere(0x7FFF, lanes)))
    short = builder.trunc(builder.lshr(rounded, upper), shorts)
    builder.store(short, pointer(builder, address, offset, shorts), align=2)
