"""Words for writing LLVM IR: vectors, places in memory, loops. Addresses and strides are in bytes."""

from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic as typed_intrinsic

LANES: Final = 8
"""Numbers of a vector register of AVX2."""

BYTE, SHORT, INT, LONG = (ir.IntType(bits) for bits in (8, 16, 32, 64))
FLOAT = ir.FloatType()
FLOATS, INTS, SHORTS = (ir.VectorType(kind, LANES) for kind in (FLOAT, INT, SHORT))
ZEROS = ir.Constant(FLOATS, [0.0] * LANES)

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


def spread(builder: Builder, scalar: Value) -> Value:
    """The scalar in every lane."""
    vector = ir.VectorType(scalar.type, LANES)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, INT(0))
    everywhere = ir.Constant(INTS, [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), everywhere)


def everywhere(number: int) -> Value:
    """A vector of this integer."""
    return ir.Constant(INTS, [number] * LANES)


def call(builder: Builder, name: str, result: Any, *arguments: Value) -> Value:
    """Call a function that LLVM or the C library has."""
    signature = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), arguments)


def multiply_add(builder: Builder, first: Value, second: Value, total: Value) -> Value:
    """first * second + total, rounded once."""
    return call(builder, "llvm.fma.v8f32", FLOATS, first, second, total)


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


def prefetch(builder: Builder, address: Value, offset: Value) -> None:
    """Ask for a cache line that will be read later, for the second cache."""
    place = pointer(builder, address, offset, BYTE)
    reading, second, data = INT(0), INT(2), INT(1)
    call(builder, "llvm.prefetch.p0", ir.VoidType(), place, reading, second, data)


def load_floats(builder: Builder, address: Value, offset: Value, *, halves: bool) -> Value:
    """LANES numbers as float32. halves: they are bfloat16, the upper half of a float32."""
    if not halves:
        return builder.load(pointer(builder, address, offset, FLOATS), align=4)
    short = builder.load(pointer(builder, address, offset, SHORTS), align=2)
    return builder.bitcast(builder.shl(builder.zext(short, INTS), everywhere(16)), FLOATS)


def store_halves(builder: Builder, floats: Value, address: Value, offset: Value) -> None:
    """LANES numbers as bfloat16, rounded to the nearest, from the middle to the even one."""
    bits = builder.bitcast(floats, INTS)
    odd = builder.and_(builder.lshr(bits, everywhere(16)), everywhere(1))
    rounded = builder.add(bits, builder.add(odd, everywhere(0x7FFF)))
    short = builder.trunc(builder.lshr(rounded, everywhere(16)), SHORTS)
    builder.store(short, pointer(builder, address, offset, SHORTS), align=2)


def sum_of_lanes(builder: Builder, lanes: Value) -> Value:
    """Halves onto each other, until one number is left."""
    width = LANES
    while width > 1:
        width //= 2
        mask = ir.Constant(INTS, [(lane + width) % LANES for lane in range(LANES)])
        lanes = builder.fadd(lanes, builder.shuffle_vector(lanes, lanes, mask))
    return builder.extract_element(lanes, INT(0))
