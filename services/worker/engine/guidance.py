"""Classifier-free guidance: how far to go from the unconditional logits, and past the conditional ones.

Source: Ho and Salimans, "Classifier-free diffusion guidance", 2022, applied to logits; the schedules are
those of the Lumina-mGPT 2.0 reference (inference_solver.py).
"""

from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import assert_never

import torch
from torch import Tensor

from services.worker.engine.image_grammar import HEADER_LENGTH, ImageShape

UNGUIDED = 1.0
"""The scale at which guidance is off: the conditional logits as they are."""

_REFERENCE_FLOOR = 4.0
"""The reference never guides by less, not even when asked to; only 1 switches it off."""


def apply_guidance(conditional: Tensor, unconditional: Tensor, scale: Tensor | float) -> Tensor:
    """unconditional + scale * (conditional - unconditional), in the reference's order of operations.

    conditional, unconditional: [rows, n], finite; forbid tokens afterwards. scale: one for all, or [rows, 1].
    Returns [rows, n] float32.
    """
    base = unconditional.to(torch.float32)
    return (conditional.to(torch.float32) - base).mul_(scale).add_(base)


class GuidanceSchedule(StrEnum):
    """How the scale changes along an image.

    CONSTANT keeps the scale that was asked for. REFERENCE shrinks it at every token after the header, on top
    of what it shrank before, down to 4; on grids of usual size it gets there within the first rows.
    """

    CONSTANT = "constant"
    REFERENCE = "reference"

    def scales(self, initial: float, shape: ImageShape, offsets: Sequence[int]) -> Tensor:
        """The scale for each token of an image that is about to be drawn.

        offsets: places counted from START, which has offset 0. The header (START and the grid tokens) is
        never guided. Returns [offsets] float32 on the CPU.
        """
        match self:
            case GuidanceSchedule.CONSTANT:
                table = (initial,) * shape.length
            case GuidanceSchedule.REFERENCE:
                table = _reference_scales(initial, shape)
            case _:
                assert_never(self)
        return torch.tensor([table[offset] if offset >= HEADER_LENGTH else UNGUIDED for offset in offsets])


@lru_cache(maxsize=64)
def _reference_scales(initial: float, shape: ImageShape) -> tuple[float, ...]:
    """The scale at each offset: g := max(4, g * (1 - n / (2h * 2w))) for a grid of h by w.

    n: tokens after START before the one being drawn, newlines included.
    """
    if initial == UNGUIDED:
        return (UNGUIDED,) * shape.length
    cells = 2 * shape.grid_height * 2 * shape.grid_width
    table = [initial] * HEADER_LENGTH
    for drawn in range(HEADER_LENGTH - 1, shape.length - 1):
        table.append(max(_REFERENCE_FLOOR, table[-1] * (1 - drawn / cells)))
    return tuple(table)
