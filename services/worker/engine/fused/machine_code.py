"""What numba has no words for, as LLVM IR: atomic counters, and tiles of matrix products held in registers.

A tile multiplies a few rows by the weights of BLOCK outputs. Each output's sum is one chain over the inputs,
in their order, in one lane: nothing else of the call can change its bits. Addresses and strides are in bytes.
"""

from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as typed_intrinsic

LANES: Final = 8
VECTORS: Final = 4
BLOCK: Final = LANES * VECTORS
"""Outputs of a tile: two rows of them fill the sixteen vector registers of AVX2."""

CACHED_INPUTS: Final = 128
"""Inputs, or pairs of them, of a block whose weights stay in the first cache while all rows meet them."""

_BYTE, _SHORT, _INT, _LONG = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_FLOAT = ir.FloatType()
_FLOATS = ir.VectorType(_FLOAT, LANES)
_INTS = ir.VectorType(_INT, LANES)
_PAIRS = ir.VectorType(_SHORT, 2 * LANES)
_BYTE_PAIRS = ir.VectorType(_BYTE, 2 * LANES)
_ZEROS = ir.Constant(_FLOATS, [0.0] * LANES)
_NOTHING = ir.Constant(_INTS, [0] * LANES)

Builder = Any
"""llvmlite's IRBuilder, which has no types."""
Value = Any
intrinsic: Any = typed_intrinsic
"""Who calls an intrinsic leaves the first argument out, which no type checker knows."""


def _pointer(builder: Builder, address: Value, offset: Value, kind: Any) -> Value:
    return builder.inttoptr(builder.add(address, offset), kind.as_pointer())


def _scaled(builder: Builder, index: Value, factor: int, more: int = 0) -> Value:
    return builder.add(builder.mul(index, _LONG(factor)), _LONG(more))


def _spread(builder: Builder, scalar: Value) -> Value:
    """The scalar in every lane."""
    vector = ir.VectorType(scalar.type, LANES)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, _INT(0))
    everywhere = ir.Constant(ir.VectorType(_INT, LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), everywhere)


def _call(builder: Builder, name: str, result: Any, *arguments: Value) -> Value:
    signature = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), arguments)


def _loop(
    builder: Builder, count: Value, start: list[Value], body: Callable[[Value, list[Value]], list[Value]]
) -> list[Value]:
    """`state = body(index, state)` for at least one index below `count`; the last state."""
    before = builder.block
    head, after = builder.append_basic_block("tile"), builder.append_basic_block("tiled")
    builder.branch(head)
    builder.position_at_end(head)
    index = builder.phi(_LONG)
    state = [builder.phi(value.type) for value in start]
    changed = body(index, state)
    following = builder.add(index, _LONG(1))
    for variable, first, later in zip(
        [index, *state], [_LONG(0), *start], [following, *changed], strict=True
    ):
        variable.add_incoming(first, before)
        variable.add_incoming(later, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, count), head, after)
    builder.position_at_end(after)
    return changed


def _read_tile(builder: Builder, rows: int, vectors: int, output: Value, stride: Value) -> list[Value]:
    return [builder.load(place, align=4) for place in _places(builder, rows, vectors, output, stride)]


def _store_tile(builder: Builder, tile: list[Value], vectors: int, output: Value, stride: Value) -> None:
    places = _places(builder, len(tile) // vectors, vectors, output, stride)
    for vector, place in zip(tile, places, strict=True):
        builder.store(vector, place, align=4)


def _places(builder: Builder, rows: int, vectors: int, output: Value, stride: Value) -> list[Value]:
    return [
        _pointer(builder, output, _scaled(builder, stride, row, 4 * LANES * part), _FLOATS)
        for row in range(rows)
        for part in range(vectors)
    ]


def _float_tile(rows: int, vectors: int, ahead: int = 0) -> Any:
    """output[r, o] += sum over k of inputs[r, k] * weights[k, o], all float32, for `vectors` of outputs.

    ahead: how many bytes before its turn a weight is fetched.
    """

    def generate(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
        inputs, input_stride, weights, weight_stride, count, output, output_stride = arguments
        starts = [builder.add(inputs, _scaled(builder, input_stride, row)) for row in range(rows)]

        def add_products(index: Value, sums: list[Value]) -> list[Value]:
            here = builder.mul(index, weight_stride)
            places = [
                _pointer(builder, weights, builder.add(here, _LONG(4 * LANES * part)), _FLOATS)
                for part in range(vectors)
            ]
            loaded = [builder.load(place, align=4 * LANES) for place in places]
            if ahead:
                _prefetch(builder, weights, builder.add(here, _LONG(ahead)))
            changed: list[Value] = []
            for row, start in enumerate(starts):
                number = builder.load(_pointer(builder, start, _scaled(builder, index, 4), _FLOAT), align=4)
                spread = _spread(builder, number)
                changed += [
                    _call(builder, "llvm.fma.v8f32", _FLOATS, spread, vector, sums[row * vectors + part])
                    for part, vector in enumerate(loaded)
                ]
            return changed

        before = _read_tile(builder, rows, vectors, output, output_stride)
        tile = _loop(builder, count, before, add_products)
        _store_tile(builder, tile, vectors, output, output_stride)
        return context.get_dummy_value()

    return _tile(generate)


def _prefetch(builder: Builder, address: Value, offset: Value) -> None:
    """Ask for a cache line that will be read later, for the second cache."""
    pointer = _pointer(builder, address, offset, _BYTE)
    reading, second, data = _INT(0), _INT(2), _INT(1)
    signature = ir.FunctionType(ir.VoidType(), [pointer.type, _INT, _INT, _INT])
    prefetch = cgutils.get_or_insert_function(builder.module, signature, "llvm.prefetch.p0")
    builder.call(prefetch, [pointer, reading, second, data])


def _byte_tile(rows: int, ahead: int = 0) -> Any:
    """The same for BLOCK outputs, in exact sums of int16 inputs times int8 weights [pairs, BLOCK, 2].

    A pair is two inputs, one after the other, and `count` counts pairs. The sums of a call must fit into
    32 bits.
    """

    def generate(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
        inputs, input_stride, weights, weight_stride, count, output, output_stride = arguments
        starts = [builder.add(inputs, _scaled(builder, input_stride, row)) for row in range(rows)]

        def add_products(index: Value, sums: list[Value]) -> list[Value]:
            here = builder.mul(index, weight_stride)
            places = [
                _pointer(builder, weights, builder.add(here, _LONG(2 * LANES * part)), _BYTE_PAIRS)
                for part in range(VECTORS)
            ]
            if ahead:
                _prefetch(builder, weights, builder.add(here, _LONG(ahead)))
            widened = [builder.sext(builder.load(place, align=2 * LANES), _PAIRS) for place in places]
            changed: list[Value] = []
            for row, start in enumerate(starts):
                pair = builder.load(_pointer(builder, start, _scaled(builder, index, 4), _INT), align=4)
                spread = builder.bitcast(_spread(builder, pair), _PAIRS)
                products = [
                    _call(builder, "llvm.x86.avx2.pmadd.wd", _INTS, spread, vector) for vector in widened
                ]
                changed += [
                    builder.add(sums[row * VECTORS + part], product) for part, product in enumerate(products)
                ]
            return changed

        exact = _loop(builder, count, [_NOTHING] * (rows * VECTORS), add_products)
        before = _read_tile(builder, rows, VECTORS, output, output_stride)
        tile = [
            builder.fadd(floats, builder.sitofp(ints, _FLOATS))
            for floats, ints in zip(before, exact, strict=True)
        ]
        _store_tile(builder, tile, VECTORS, output, output_stride)
        return context.get_dummy_value()

    return _tile(generate)


def _tile(generate: Any) -> Any:
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
        return types.void(*[types.int64] * 7), generate

    return tile


float_tile_of_one, float_tile_of_two = _float_tile(1, VECTORS), _float_tile(2, VECTORS)
byte_tile_of_one, byte_tile_of_two = _byte_tile(1), _byte_tile(2, CACHED_INPUTS * 2 * BLOCK)
float_tile_of_six = _float_tile(6, VECTORS // 2, CACHED_INPUTS * 4 * BLOCK)
"""Half a block, whose other half is another call."""
float_vector = _float_tile(1, 1)
"""A tile of one row and LANES outputs."""


@intrinsic
def dot_products(
    typing_context: Any, query: Any, keys: Any, key_stride: Any, vectors: Any, count: Any, output: Any
) -> Any:
    """output[k] = query . keys[k], all float32 and of `vectors` times LANES numbers."""

    def generate(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
        query, keys, key_stride, vectors, count, output = arguments

        def multiply_key(key: Value, _: list[Value]) -> list[Value]:
            start = builder.add(keys, builder.mul(key, key_stride))

            def add_products(index: Value, sums: list[Value]) -> list[Value]:
                here = _scaled(builder, index, 4 * LANES)
                factors = [
                    builder.load(_pointer(builder, address, here, _FLOATS), align=4)
                    for address in (query, start)
                ]
                return [_call(builder, "llvm.fma.v8f32", _FLOATS, *factors, *sums)]

            [lanes] = _loop(builder, vectors, [_ZEROS], add_products)
            place = _pointer(builder, output, _scaled(builder, key, 4), _FLOAT)
            builder.store(_sum_of_lanes(builder, lanes), place, align=4)
            return []

        _loop(builder, count, [], multiply_key)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6), generate


def _sum_of_lanes(builder: Builder, lanes: Value) -> Value:
    """Halves onto each other, until one number is left."""
    width = LANES
    while width > 1:
        width //= 2
        order = [(lane + width) % LANES for lane in range(LANES)]
        mask = ir.Constant(ir.VectorType(_INT, LANES), order)
        lanes = builder.fadd(lanes, builder.shuffle_vector(lanes, lanes, mask))
    return builder.extract_element(lanes, _INT(0))


@intrinsic
def add_atomically(typing_context: Any, address: Any, number: Any) -> Any:
    """Add to the int64 at an address; what it was before."""

    def generate(_: Any, builder: Builder, __: Any, arguments: list[Value]) -> Value:
        address, number = arguments
        return builder.atomic_rmw("add", _pointer(builder, address, _LONG(0), _LONG), number, "seq_cst")

    return types.int64(types.int64, types.int64), generate


@intrinsic
def read_atomically(typing_context: Any, address: Any) -> Any:
    """The int64 at an address, and with it all that was written before it was set."""

    def generate(_: Any, builder: Builder, __: Any, arguments: list[Value]) -> Value:
        pointer = _pointer(builder, arguments[0], _LONG(0), _LONG)
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(types.int64), generate


@intrinsic
def let_others_run(typing_context: Any) -> Any:
    """Give the core to another thread that waits for one."""

    def generate(context: Any, builder: Builder, _: Any, __: Any) -> Value:
        _call(builder, "sched_yield", _INT)
        return context.get_dummy_value()

    return types.void(), generate
