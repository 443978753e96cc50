"""Scores of the evaluation with their confidence intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from training.scenes.splits import Split

_Z = 1.96
"""Quantile of the normal distribution for a two-sided 95 % interval."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table in the report."""

    section: str
    name: str
    split: Split


@dataclass(frozen=True, slots=True)
class Score:
    """A score and its 95 % interval. measure: success, psnr_db, abs_rel, f1, ... count: pictures judged."""

    row: Row
    measure: str
    value: float
    low: float
    high: float
    count: int


def success_score(row: Row, outcomes: Sequence[bool], measure: str = "success") -> Score:
    """The share of successes, with Wilson's interval."""
    hits, count = sum(outcomes), len(outcomes)
    return Score(row, measure, hits / count, *wilson_interval(hits, count), count)


def mean_score(row: Row, measure: str, values: Sequence[float]) -> Score:
    """The mean of one value per picture, with the normal interval of its standard error."""
    count = len(values)
    mean = sum(values) / count
    variance = sum((value - mean) ** 2 for value in values) / max(count - 1, 1)
    margin = _Z * math.sqrt(variance / count)
    return Score(row, measure, mean, mean - margin, mean + margin, count)


def exact_score(row: Row, measure: str, value: float, count: int) -> Score:
    """A score of a whole set of pictures, without an interval."""
    return Score(row, measure, value, value, value, count)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """95 % interval of a proportion. Source: Wilson, JASA 1927."""
    share = successes / trials
    centre = share + _Z**2 / (2 * trials)
    margin = _Z * math.sqrt(share * (1 - share) / trials + _Z**2 / (4 * trials**2))
    scale = 1 + _Z**2 / trials
    return max(0.0, (centre - margin) / scale), min(1.0, (centre + margin) / scale)
