"""Classifier-free guidance of logits, with a scale that may change along an image.

Sources: Ho and Salimans, "Classifier-free diffusion guidance", 2022; the REFERENCE schedule is that of the
Lumina-mGPT 2.0 reference (inference_solver.py).
"""

from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import assert_never

import torch
from torch import Tensor

from services.worker.engine.layout.image_grammar import HEADER_LENGTH, ImageShape

UNGUIDED = 1.0
"""The scale that switches guidance off: it gives the conditional logits."""

_REFERENCE_FLOOR = 4.0
"""Smallest scale of the reference: it raises smaller ones to this, except 1, which switches guidance off."""


def apply_guidance(conditional: Tensor, unconditional: Tensor, scale: Tensor | float) -> Tensor:
    """unconditional + scale * (conditional - unconditional), in the reference's order of operations.

    conditional, unconditional: [rows, n], finite, so tokens are forbidden after this. scale: one number, or
    [rows, 1]. Returns [rows, n] float32.
    """
    base = unconditional.to(torch.float32)
    return (conditional.to(torch.float32) - base).mul_(scale).add_(base)


class GuidanceSchedule(StrEnum):
    """How the guidance scale changes along an image.

    CONSTANT keeps the requested scale. REFERENCE multiplies it at every token after the header by a factor
    below 1, down to 4; on grids of usual size it reaches 4 within the first rows.
    """

    CONSTANT = "constant"
    REFERENCE = "reference"

    def scales(self, initial: float, shape: ImageShape, offsets: Sequence[int]) -> Tensor:
        """The scale of each token to draw.

        offsets: places in the image; START has offset 0. The header (START and the grid tokens) is never
        guided. Returns [offsets] float32 on the CPU.
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

    n: number of tokens between START and the token to draw, newlines included.
    """
    if initial == UNGUIDED:
        return (UNGUIDED,) * shape.length
    cells = 2 * shape.grid_height * 2 * shape.grid_width
    table = [initial] * HEADER_LENGTH
    for drawn in range(HEADER_LENGTH - 1, shape.length - 1):
        table.append(max(_REFERENCE_FLOOR, table[-1] * (1 - drawn / cells)))
    return tuple(table)
