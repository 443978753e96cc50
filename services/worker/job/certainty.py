"""How certain the model was of each cell of a picture, in two bytes a cell.

The certainty of a drawn code is log p(conditional) in nats, rounded to a float16; that of a kept cell is 0.
A variation draws the least certain cells anew.
"""

import struct
from collections.abc import Sequence

from services.worker.engine.layout.sequence_plan import SequencePlan

LEAST = -60_000.0
"""Smaller certainties become this one, because float16 ends there."""
BYTES_PER_CELL = 2


def pack(certainties: Sequence[float]) -> bytes:
    """The certainties as little-endian float16."""
    return struct.pack(f"<{len(certainties)}e", *(max(LEAST, value) for value in certainties))


def unpack(packed: bytes) -> tuple[float, ...]:
    """The certainties in the result of `pack`."""
    return struct.unpack(f"<{len(packed) // BYTES_PER_CELL}e", packed)


def of_result(plan: SequencePlan, drawn: bytes) -> bytes | None:
    """The certainty of each cell of the result, row by row; None unless all codes are drawn.

    drawn: packed certainties of the plan's free positions, in order.
    """
    if len(drawn) != BYTES_PER_CELL * len(plan.free_positions):
        return None
    known = iter(unpack(drawn))
    starts = [plan.position_of(row, 0) for row in plan.result_rows]
    cells = [token for start in starts for token in plan.tokens[start : start + plan.shape.columns]]
    return pack([next(known) if token is None else 0.0 for token in cells])
