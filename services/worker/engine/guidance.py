"""Classifier-free guidance: how far the logits are pushed from the unconditional ones, and when.

Source: Ho and Salimans 2022 (arXiv 2207.12598), section 3.2; the compounding schedule is the public
reference's (inference_solver.py, lines 112 to 125).
"""

from collections.abc import Sequence
from enum import StrEnum

import torch
from torch import Tensor

from services.worker.engine.image_grammar import ImageShape

REFERENCE_FLOOR = 4.0
"""The reference never lets the scale fall below this, and lifts smaller ones to it."""


class GuidanceSchedule(StrEnum):
    """How the scale changes along a picture."""

    CONSTANT = "constant"
    REFERENCE = "reference"

    def scales(self, initial: float, shape: ImageShape, offsets: Sequence[int]) -> Tensor:
        """The scale at each offset: float32 [offsets]. An offset is a token's place counted from START.

        A scale of one switches guidance off under every schedule.
        """
        if self is GuidanceSchedule.CONSTANT or initial == 1.0:
            return torch.full((len(offsets),), initial)
        table = reference_scales(initial, shape)
        return torch.tensor([table[offset] for offset in offsets])


def reference_scales(initial: float, shape: ImageShape) -> list[float]:
    """The reference's scale at every offset of an image.

    It is written back at each step, so it compounds: g := max(4, g * (1 - n / N)) with n the tokens after
    START before the one being drawn and N = 2h * 2w for a grid of h x w. The header is not guided.
    """
    total = 2 * shape.grid_height * 2 * shape.grid_width
    scale = initial
    scales: list[float] = []
    for offset in range(shape.length):
        drawn = offset - 1
        if drawn >= 2:
            scale = max(REFERENCE_FLOOR, scale * (1 - drawn / total))
        scales.append(scale)
    return scales


def apply_guidance(conditional: Tensor, unconditional: Tensor, scales: Tensor) -> Tensor:
    """Guided logits, float32 [rows, tokens]; scales [rows, 1]."""
    return unconditional + scales * (conditional - unconditional)
