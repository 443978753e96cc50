"""Matrix products with Intel AMX, which multiplies tiles of 16 rows by 64 bytes of bfloat16 or int8.

Each output sums its inputs in a fixed order, independently of the other rows in its tile.
Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, "Programming with Intel AMX".
"""

from typing import Any, Final

from llvmlite import ir
from numba import types

from services.worker.engine.fused.codegen.arrays import Floats
from services.worker.engine.fused.codegen.compiling import compiled
from services.worker.engine.fused.codegen.ir_words import (
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
"""Number of tile registers, and the first ones for inputs and weights; those before the inputs hold sums."""

STEP_BYTES: Final = 2 * TILE_ROWS * TILE_BYTES
"""Bytes of weights in one step: two tiles, each for half of the outputs of a block."""

STEPS_AHEAD: Final = 4
"""Number of steps between the prefetch of a weight and its use."""

_PALETTE, _WIDTHS, _HEIGHTS = 1, 16, 48
"""Tile configuration for `ldtilecfg`: the palette, and the byte offsets of widths and heights."""


def _instruction(builder: Builder, name: str, *arguments: Value) -> None:
    call(builder, f"llvm.x86.{name}", ir.VoidType(), *arguments)


@intrinsic
def claim_tiles(typing_context: Any, rows: Any) -> Any:
    """Configure the tile registers of this thread; input and output tiles get `rows` <= TILE_ROWS rows.

    Products may run only between this and `free_tiles`.
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
        _instruction(builder, "ldtilecfg", builder.bitcast(place, BYTE.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64), generate


@intrinsic
def free_tiles(typing_context: Any) -> Any:
    """Release the tile registers of this thread: saving them makes context switches expensive."""

    def generate(context: Any, builder: Builder, _: Any, __: Any) -> Value:
        _instruction(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), generate


def _fetch_ahead(builder: Builder, step: Value, steps: Value, weights: Value, after: Value) -> None:
    """Prefetch the weights of a later step; past the end of this block, those of the block at `after`."""
    later = builder.add(step, LONG(STEPS_AHEAD))
    inside = builder.icmp_signed("<", later, steps)
    start = builder.select(inside, weights, after)
    later = builder.select(inside, later, builder.sub(later, steps))
    for line in range(0, STEP_BYTES, LINE):
        prefetch(builder, start, scaled(builder, later, STEP_BYTES, line), first_cache=True)


def _matrix_tile(*products: str) -> Any:
    """Make an intrinsic: outputs[r, o] = sum over k of inputs[r, k] * weights[k, o], for a block of outputs.

    products: the multiply instruction of each tile of 16 input rows, one or two. The second input tile starts
    `second` bytes after the first, its outputs `second_output` bytes after those of the first.
    steps: number of 64-byte pieces of an input row. after: address of the block to prefetch.
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
                    _instruction(builder, "tileloadd64", BYTE(FIRST_WEIGHTS + half), place, LONG(TILE_BYTES))
                for part, (start, product) in enumerate(zip(starts, products, strict=True)):
                    place = pointer(builder, start, scaled(builder, step, TILE_BYTES), BYTE)
                    _instruction(builder, "tileloadd64", BYTE(FIRST_INPUTS + part), place, input_stride)
                    for half in range(2):
                        _instruction(
                            builder,
                            product,
                            sums[part][half],
                            BYTE(FIRST_INPUTS + part),
                            BYTE(FIRST_WEIGHTS + half),
                        )
                return []

            for pair in sums:
                for each in pair:
                    _instruction(builder, "tilezero", each)
            loop(builder, steps, [], add_products)
            for pair, start in zip(sums, outputs, strict=True):
                for half, each in enumerate(pair):
                    place = pointer(builder, start, LONG(TILE_BYTES * half), BYTE)
                    _instruction(builder, "tilestored64", each, place, output_stride)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 9), generate

    return tile


def make_multiply(product: str) -> Any:
    """Compile the product of rows and one block of weights. product: name of the AMX instruction."""
    one_tile, two_tiles = _matrix_tile(product), _matrix_tile(product, product)

    @compiled
    def multiply_tiles(start: int, stride: int, steps: int, weights: tuple[int, int], tile: Floats) -> None:
        """Multiply each row by the block: tile[r] = row at `start + r * stride` @ block.

        weights: addresses of the block and of the one to prefetch. tile: its rows are whole tiles.
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
"""`multiply_matrix_bytes` writes int32 sums into `tile`."""
