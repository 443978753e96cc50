"""One row of the report: what was compared, how far apart it was, how far it may be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

FP32_LOGITS = 2e-4
"""Largest difference of float32 logits and hidden states: two kernels apart, one model."""
BF16_LOGITS_MAX, BF16_LOGITS_MEAN = 0.5, 0.03
MOVQGAN_PIXELS = 1e-4
PICTURE_LEVELS = 1.0
"""Of 255: rounding a pixel may go either way."""


@dataclass(frozen=True)
class Comparison:
    """fixture: file and part of it. error: in the unit of the tolerance; infinite where nothing compares."""

    fixture: str
    what: str
    error: float
    tolerance: float = 0.0
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the error is within the tolerance; NaN never is."""
        return self.error <= self.tolerance


def failure(fixture: str, what: str, note: str) -> Comparison:
    """What could not even be compared."""
    return Comparison(fixture, what, float("inf"), note=note)


def farthest(fixture: str, what: str, actual: Tensor, expected: Tensor, tolerance: float) -> Comparison:
    """The largest absolute difference of two tensors; equal infinities differ by nothing."""
    if actual.shape != expected.shape:
        return failure(fixture, what, f"shape {tuple(actual.shape)}, expected {tuple(expected.shape)}")
    ours, theirs = actual.cpu().double(), expected.double()
    differences = torch.where(ours == theirs, 0.0, (ours - theirs).abs())
    return Comparison(fixture, what, float(differences.max()) if differences.numel() else 0.0, tolerance)


def on_average(fixture: str, what: str, actual: Tensor, expected: Tensor, tolerance: float) -> Comparison:
    """The mean absolute difference of two tensors."""
    if actual.shape != expected.shape:
        return failure(fixture, what, f"shape {tuple(actual.shape)}, expected {tuple(expected.shape)}")
    return Comparison(
        fixture, what, float((actual.cpu().double() - expected.double()).abs().mean()), tolerance
    )


def identical(fixture: str, what: str, actual: Sequence[object], expected: Sequence[object]) -> Comparison:
    """How many entries of two sequences differ; each must be equal."""
    if len(actual) != len(expected):
        return failure(fixture, what, f"{len(actual)} entries, expected {len(expected)}")
    wrong = [index for index, pair in enumerate(zip(actual, expected, strict=True)) if pair[0] != pair[1]]
    note = f"entry {wrong[0]}: {actual[wrong[0]]!r}, expected {expected[wrong[0]]!r}" if wrong else ""
    return Comparison(fixture, what, len(wrong), note=note)


def same_levels(
    fixture: str, what: str, actual: np.ndarray, expected: np.ndarray, tolerance: float = PICTURE_LEVELS
) -> Comparison:
    """The largest difference of two pictures' 8-bit levels."""
    return farthest(fixture, what, torch.tensor(actual), torch.tensor(expected), tolerance)
