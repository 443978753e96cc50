"""Products by Intel's AMX: units that multiply tiles of bfloat16, or of bytes, of 16 rows by 64 bytes.

Each output's sum is one chain over the inputs in their order, whatever other rows are in its tile.
Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, "Programming with Intel AMX".
"""

from typing import Any, Final

from llvmlite import ir
from numba import types

from services.worker.engine.fused.arrays import Floats
from services.worker.engine.fused.compiling import compiled
from services.worker.engine.fused.ir_words import (
    BYTE,
    INT,
    LINE,
    LONG,
    Builder,
    Value,
    call,
    intrinsic,
    loop,
    pointer,
    prefetch,
    scaled,
)

TILE_ROWS: Final = 16
TILE_BYTES: Final = 64
TILES, FIRST_INPUTS, FIRST_WEIGHTS = 8, 4, 6
"""Tile registers: those before the inputs are sums."""

STEP_BYTES: Final = 2 * TILE_ROWS * TILE_BYTES
"""Weights of a block that one row of a tile of inputs meets: two tiles, of half a block each."""

STEPS_AHEAD: Final = 4
"""How many steps before its turn a weight is fetched."""

_PALETTE, _WIDTHS, _HEIGHTS = 1, 16, 48
"""Of the settings of all tiles: their kind, and where widths and heights stand."""


def _order(builder: Builder, name: str, *arguments: Value) -> None:
    call(builder, f"llvm.x86.{name}", ir.VoidType(), *arguments)


@intrinsic
def claim_tiles(typing_context: Any, rows: Any) -> Any:
    """Give this thread tile registers of so many rows, at most TILE_ROWS, of inputs and outputs.

    Every product lies between this and `free_tiles`.
    """

    def generate(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
        settings = bytearray(TILE_BYTES)
        settings[0] = _PALETTE
        for tile in range(TILES):
            settings[_WIDTHS + 2 * tile] = TILE_BYTES
            settings[_HEIGHTS + tile] = TILE_ROWS
        whole = ir.Constant(ir.ArrayType(BYTE, len(settings)), settings)
        place = builder.alloca(whole.type)
        builder.store(whole, place)
        for tile in range(FIRST_WEIGHTS):
            height = builder.gep(place, [INT(0), INT(_HEIGHTS + tile)])
            builder.store(builder.trunc(arguments[0], BYTE), height)
        _order(builder, "ldtilecfg", builder.bitcast(place, BYTE.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64), generate


@intrinsic
def free_tiles(typing_context: Any) -> Any:
    """Let go of the tile registers: a thread that holds them is dear to switch."""

    def generate(context: Any, builder: Builder, _: Any, __: Any) -> Value:
        _order(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), generate


def _fetch_ahead(builder: Builder, step: Value, steps: Value, weights: Value, after: Value) -> None:
    """Ask for the weights of a later step, which may be one of the block that comes after."""
    later = builder.add(step, LONG(STEPS_AHEAD))
    inside = builder.icmp_signed("<", later, steps)
    start = builder.select(inside, weights, after)
    later = builder.select(inside, later, builder.sub(later, steps))
    for line in range(0, STEP_BYTES, LINE):
        prefetch(builder, start, scaled(builder, later, STEP_BYTES, line), first_cache=True)


def _matrix_tile(*products: str) -> Any:
    """outputs[r, o] = sum over k of inputs[r, k] * weights[k, o], for 16 rows and a block of outputs.

    products: the instruction for each tile of inputs; a second tile lies `second` bytes behind the first, and
    its outputs `second_output` bytes. steps: of 64 bytes of inputs. after: the weights that are needed next.
    """

    @intrinsic
    def tile(
        typing_context: Any,
        inputs: Any,
        input_stride: Any,
        second: Any,
        weights: Any,
        steps: Any,
        output: Any,
        output_stride: Any,
        second_output: Any,
        after: Any,
    ) -> Any:
        def generate(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
            inputs, input_stride, second, weights, steps, output, output_stride, second_output, after = (
                arguments
            )
            starts = [inputs, builder.add(inputs, second)][: len(products)]
            outputs = [output, builder.add(output, second_output)][: len(products)]
            sums = [(BYTE(2 * part), BYTE(2 * part + 1)) for part in range(len(products))]

            def add_products(step: Value, _: list[Value]) -> list[Value]:
                _fetch_ahead(builder, step, steps, weights, after)
                for half in range(2):
                    place = pointer(builder, weights, scaled(builder, step, STEP_BYTES, 1024 * half), BYTE)
                    _order(builder, "tileloadd64", BYTE(FIRST_WEIGHTS + half), place, LONG(TILE_BYTES))
                for part, (start, product) in enumerate(zip(starts, products, strict=True)):
                    place = pointer(builder, start, scaled(builder, step, TILE_BYTES), BYTE)
                    _order(builder, "tileloadd64", BYTE(FIRST_INPUTS + part), place, input_stride)
                    for half in range(2):
                        _order(
                            builder,
                            product,
                            sums[part][half],
                            BYTE(FIRST_INPUTS + part),
                            BYTE(FIRST_WEIGHTS + half),
                        )
                return []

            for pair in sums:
                for each in pair:
                    _order(builder, "tilezero", each)
            loop(builder, steps, [], add_products)
            for pair, start in zip(sums, outputs, strict=True):
                for half, each in enumerate(pair):
                    place = pointer(builder, start, LONG(TILE_BYTES * half), BYTE)
                    _order(builder, "tilestored64", each, place, output_stride)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 9), generate

    return tile


def make_multiply(product: str) -> Any:
    """The product of rows with a block of weights by this instruction."""
    one_tile, two_tiles = _matrix_tile(product), _matrix_tile(product, product)

    @compiled
    def multiply_tiles(start: int, stride: int, steps: int, weights: tuple[int, int], tile: Floats) -> None:
        """tile[row] = the row at start + row * stride times a block. tile: whole tiles of rows.

        weights: of the block, and of the one that is needed next.
        """
        count, row_bytes = len(tile), tile.strides[0]
        below, below_output = TILE_ROWS * stride, TILE_ROWS * row_bytes
        here, after = weights
        for row in range(0, count, 2 * TILE_ROWS):
            there, out = start + row * stride, tile.ctypes.data + row * row_bytes
            if row + TILE_ROWS < count:
                two_tiles(there, stride, below, here, steps, out, row_bytes, below_output, after)
            else:
                one_tile(there, stride, 0, here, steps, out, row_bytes, 0, after)

    return multiply_tiles


multiply_matrix_halves = make_multiply("tdpbf16ps")
multiply_matrix_bytes = make_multiply("tdpbssd")
"""Its sums are int32."""
