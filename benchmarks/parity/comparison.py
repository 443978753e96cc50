"""One row of the report: the compared values, their error and the tolerance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

FP32_LOGITS = 2e-4
"""Allowed difference of float32 logits and hidden states between two kernels of the same model."""
BF16_LOGITS_MAX, BF16_LOGITS_MEAN = 0.5, 0.03
MOVQGAN_PIXELS = 1e-4
PICTURE_LEVELS = 1.0
"""Allowed difference of 8-bit pixel levels: rounding can go either way."""


@dataclass(frozen=True)
class Comparison:
    """The result of one comparison.

    fixture: file, and the part of it.
    error: in the unit of the tolerance; infinite if the values could not be compared.
    """

    fixture: str
    what: str
    error: float
    tolerance: float = 0.0
    note: str = ""

    @property
    def ok(self) -> bool:
        """True if the error is within the tolerance; False for NaN."""
        return self.error <= self.tolerance


def failure(fixture: str, what: str, note: str) -> Comparison:
    """A miss for values that could not be compared."""
    return Comparison(fixture, what, float("inf"), note=note)


def farthest(fixture: str, what: str, actual: Tensor, expected: Tensor, tolerance: float) -> Comparison:
    """The largest absolute difference of two tensors; the difference of equal infinities is 0."""
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
    """The number of different entries of two sequences; the tolerance is 0."""
    if len(actual) != len(expected):
        return failure(fixture, what, f"{len(actual)} entries, expected {len(expected)}")
    wrong = [index for index, pair in enumerate(zip(actual, expected, strict=True)) if pair[0] != pair[1]]
    note = f"entry {wrong[0]}: {actual[wrong[0]]!r}, expected {expected[wrong[0]]!r}" if wrong else ""
    return Comparison(fixture, what, len(wrong), note=note)


def same_levels(
    fixture: str, what: str, actual: np.ndarray, expected: np.ndarray, tolerance: float = PICTURE_LEVELS
) -> Comparison:
    """The largest difference of the 8-bit levels of two pictures."""
    return farthest(fixture, what, torch.tensor(actual), torch.tensor(expected), tolerance)
