"""Metrics that compare pictures, edges, depth maps and class maps."""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.scenes.filters import blur, near
from training.scenes.rendering import Picture
from training.scenes.world import CELL

_ROUNDING: Final = 1 / 12
"""Mean squared error of rounding to integers; smaller errors of 8-bit pictures mean nothing."""


def psnr(picture: Picture, truth: Picture, where: NDArray[np.bool_] | None = None) -> float:
    """Peak signal-to-noise ratio in dB over all pixels or over a mask [H, W]; at most 58.9."""
    squares = _squared_error(picture, truth)
    error = float(squares.mean() if where is None else squares[where].mean())
    return float(10 * np.log10(255**2 / max(error, _ROUNDING)))


def ssim(picture: Picture, truth: Picture) -> float:
    """Structural similarity (SSIM) of the grey pictures, with a Gaussian window of 1.5 pixels.

    Source: Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 2004, section III-B.
    """
    first, second = (image.astype(np.float32).mean(axis=2) for image in (picture, truth))
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_1, mean_2 = blur(first, 1.5), blur(second, 1.5)
    variance_1 = blur(first**2, 1.5) - mean_1**2
    variance_2 = blur(second**2, 1.5) - mean_2**2
    covariance = blur(first * second, 1.5) - mean_1 * mean_2
    luminance = (2 * mean_1 * mean_2 + c1) / (mean_1**2 + mean_2**2 + c1)
    structure = (2 * covariance + c2) / (variance_1 + variance_2 + c2)
    return float((luminance * structure).mean())


def worst_cell(picture: Picture, truth: Picture, where: NDArray[np.bool_]) -> float:
    """Largest root mean square error of a cell, over its masked pixels, in grey levels."""
    height, width = where.shape
    shape = (height // CELL, CELL, width // CELL, CELL)
    squares = (_squared_error(picture, truth) * where).reshape(shape).sum(axis=(1, 3))
    counts = where.reshape(shape).sum(axis=(1, 3))
    return float(np.sqrt(squares / np.maximum(counts, 1)).max())


def edge_f1(edges: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Harmonic mean of precision and recall of edges, with a tolerance of one pixel."""
    if not edges.any() or not truth.any():
        return float(edges.any() == truth.any())
    precision = float(near(truth)[edges].mean())
    recall = float(near(edges)[truth].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def relative_error(
    depth: NDArray[np.floating], truth: NDArray[np.floating], where: NDArray[np.bool_]
) -> float:
    """Mean of |depth - truth| / truth over a mask, called abs-rel in the literature."""
    return float((np.abs(depth - truth)[where] / truth[where]).mean())


def mean_iou(pairs: Iterable[tuple[NDArray[np.intp], NDArray[np.intp]]], classes: int) -> float:
    """Mean intersection over union of the classes that occur; counts are summed over all pairs.

    pairs: (predicted, true) class maps.
    """
    confusion = np.zeros((classes, classes), np.int64)
    for predicted, truth in pairs:
        flat = (truth * classes + predicted).reshape(-1)
        confusion += np.bincount(flat, minlength=classes**2).reshape(classes, classes)
    hits = np.diag(confusion)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    return float((hits[union > 0] / union[union > 0]).mean())


def _squared_error(picture: Picture, truth: Picture) -> NDArray[np.float64]:
    """Squared error of each pixel, averaged over the channels: [H, W]."""
    return ((picture.astype(np.float64) - truth) ** 2).mean(axis=2)
