"""Helpers that write LLVM IR: vectors, memory accesses, loops. Addresses and offsets are in bytes."""

from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic as typed_intrinsic

from services.worker.engine.fused.codegen.features import LANES

LINE: Final = 64
"""Bytes of a cache line."""

BYTE, SHORT, INT, LONG = (ir.IntType(bits) for bits in (8, 16, 32, 64))
FLOAT = ir.FloatType()
FLOATS = ir.VectorType(FLOAT, LANES)
ZEROS = ir.Constant(FLOATS, [0.0] * LANES)
UPPER: Final = 0xFFFF0000 - (1 << 32)
"""Mask of the upper 16 bits of a float32, its bfloat16 part, as a signed integer."""

Builder = Any
"""llvmlite's IRBuilder; llvmlite has no type annotations."""
Value = Any
intrinsic: Any = typed_intrinsic
"""numba's decorator as Any: callers omit the first argument, which type checkers would report."""


def pointer(builder: Builder, address: Value, offset: Value, kind: Any) -> Value:
    """Pointer to a value of type `kind` at address + offset."""
    return builder.inttoptr(builder.add(address, offset), kind.as_pointer())


def scaled(builder: Builder, index: Value, factor: int, more: int = 0) -> Value:
    """index * factor + more."""
    return builder.add(builder.mul(index, LONG(factor)), LONG(more))


def broadcast(builder: Builder, scalar: Value, lanes: int) -> Value:
    """A vector with the scalar in every lane."""
    vector = ir.VectorType(scalar.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, INT(0))
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), integer_vector(0, lanes))


def integer_vector(number: int, lanes: int) -> Value:
    """A constant vector with the int32 `number` in every lane."""
    return ir.Constant(ir.VectorType(INT, lanes), [number] * lanes)


def call(builder: Builder, name: str, result: Any, *arguments: Value) -> Value:
    """Call an LLVM intrinsic or a function of the C library."""
    signature = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), arguments)


def multiply_add(builder: Builder, first: Value, second: Value, total: Value) -> Value:
    """first * second + total, rounded once."""
    return call(builder, f"llvm.fma.v{total.type.count}f32", total.type, first, second, total)


def loop(
    builder: Builder, count: Value, start: list[Value], body: Callable[[Value, list[Value]], list[Value]]
) -> list[Value]:
    """Run `state = body(index, state)` for `count` indices, at least for 0; returns the last state."""
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
    """Prefetch the cache line at address + offset into the second-level cache, or into the first."""
    place = pointer(builder, address, offset, BYTE)
    reading, locality, data = INT(0), INT(3 if first_cache else 2), INT(1)
    call(builder, "llvm.prefetch.p0", ir.VoidType(), place, reading, locality, data)


def load_floats(builder: Builder, address: Value, offset: Value, lanes: int, *, halves: bool) -> Value:
    """Load a vector as float32. halves: the numbers in memory are bfloat16, the upper half of a float32."""
    floats, ints, shorts = (ir.VectorType(kind, lanes) for kind in (FLOAT, INT, SHORT))
    if not halves:
        return builder.load(pointer(builder, address, offset, floats), align=4)
    short = builder.load(pointer(builder, address, offset, shorts), align=2)
    return builder.bitcast(builder.shl(builder.zext(short, ints), integer_vector(16, lanes)), floats)


def load_step(builder: Builder, address: Value, offset: Value, lanes: int, *, halves: bool) -> list[Value]:
    """Load 2 * lanes consecutive numbers as two float32 vectors.

    halves: the numbers are bfloat16; the first vector has those at even places, the second those at odd ones.
    Shifts and masks separate the pairs: a CPU has more units for them than for widening instructions.
    """
    floats, ints = (ir.VectorType(kind, lanes) for kind in (FLOAT, INT))
    if not halves:
        return [
            load_floats(builder, address, builder.add(offset, LONG(4 * lanes * half)), lanes, halves=False)
            for half in range(2)
        ]
    pairs = builder.load(pointer(builder, address, offset, ints), align=2)
    evens = builder.shl(pairs, integer_vector(16, lanes))
    return [
        builder.bitcast(each, floats) for each in (evens, builder.and_(pairs, integer_vector(UPPER, lanes)))
    ]


def store_halves(builder: Builder, floats: Value, address: Value, offset: Value) -> None:
    """Store a vector as bfloat16, rounded to nearest, ties to even."""
    lanes = floats.type.count
    ints, shorts = (ir.VectorType(kind, lanes) for kind in (INT, SHORT))
    bits = builder.bitcast(floats, ints)
    upper = integer_vector(16, lanes)
    odd = builder.and_(builder.lshr(bits, upper), integer_vector(1, lanes))
    rounded = builder.add(bits, builder.add(odd, integer_vector(0x7FFF, lanes)))
    short = builder.trunc(builder.lshr(rounded, upper), shorts)
    builder.store(short, pointer(builder, address, offset, shorts), align=2)
