"""The last step of a matrix product: apply the scales of int8 weights and add the biases."""

from typing import Any, Final

from llvmlite import ir
from numba import types

from services.worker.engine.fused.codegen.features import WIDE
from services.worker.engine.fused.codegen.ir_words import (
    FLOAT,
    INT,
    LONG,
    Builder,
    Value,
    broadcast,
    intrinsic,
    pointer,
)
from services.worker.engine.fused.codegen.tiles import BLOCK

_FLOATS, _INTS = (ir.VectorType(kind, WIDE) for kind in (FLOAT, INT))
_DIGIT: Final = ir.Constant(_FLOATS, [256.0] * WIDE)
"""Weight of the higher of two int8 digits."""


def _finish(*, scaled: bool, digits: bool = False) -> Any:
    """Make an intrinsic: output[o] = sums[o] * row_scale * scales[o] + biases[o] for one block of outputs.

    scaled: False leaves out both scales. digits: the sums are int32, those of the higher digit at `sums` and
    those of the lower one at `low`. All arguments of the intrinsic but `row_scale` are addresses; `output`
    may equal `sums`.
    """

    @intrinsic
    def finish_row(
        typing_context: Any, sums: Any, low: Any, row_scale: Any, scales: Any, biases: Any, output: Any
    ) -> Any:
        def generate(context: Any, builder: Builder, _: Any, arguments: list[Value]) -> Value:
            sums, low, row_scale, scales, biases, output = arguments
            factor = broadcast(builder, row_scale, WIDE)
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
