"""Machine code that makes outputs of the sums of a block: scales of int8 weights, and biases."""

from typing import Any, Final

from llvmlite import ir
from numba import types

from services.worker.engine.fused.features import WIDE
from services.worker.engine.fused.ir_words import FLOAT, INT, LONG, Builder, Value, intrinsic, pointer, spread
from services.worker.engine.fused.tiles import BLOCK

_FLOATS, _INTS = (ir.VectorType(kind, WIDE) for kind in (FLOAT, INT))
_DIGIT: Final = ir.Constant(_FLOATS, [256.0] * WIDE)
"""What one of a higher digit is worth."""


def _finish(*, scaled: bool, digits: bool = False) -> Any:
    """output[o] = sums[o] * row_scale * scales[o] + biases[o] for the outputs of a block.

    scaled: else without both scales. digits: the sums are int32 of two digits, the lower one's at `low`.
    All but `row_scale` are addresses; the output may be where the sums are.
    """

    @intrinsic
    def finish_row(
        typing_context: Any, sums: Any, low: Any, row_scale: Any, scales: Any, biases: Any, output: Any
    ) -> Any:
        def generate(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
            sums, low, row_scale, scales, biases, output = arguments
            factor = spread(builder, row_scale, WIDE)
            for first in range(0, 4 * BLOCK, 4 * WIDE):

                def load(address: Value, kind: Any = _FLOATS, offset: int = first) -> Value:
                    return builder.load(pointer(builder, address, LONG(offset), kind), align=4)

                if digits:
                    high_part = builder.fmul(builder.sitofp(load(sums, _INTS), _FLOATS), _DIGIT)
                    total = builder.fadd(high_part, builder.sitofp(load(low, _INTS), _FLOATS))
                else:
                    total = load(sums)
                if scaled:
                    total = builder.fmul(total, builder.fmul(factor, load(scales)))
                total = builder.fadd(total, load(biases))
                builder.store(total, pointer(builder, output, LONG(first), _FLOATS), align=4)
            return context.get_dummy_value()

        addresses = types.int64
        return types.void(*[addresses] * 2, types.float32, *[addresses] * 3), generate

    return finish_row


finish_floats, finish_bytes = _finish(scaled=False), _finish(scaled=True)
finish_digits = _finish(scaled=True, digits=True)
