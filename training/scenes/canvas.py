"""Boolean masks of simple shapes in the unit square, from which drawings are built."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Point = tuple[float, float]

SAMPLES = 8
"""Samples along one side of a pixel; the mean of a pixel's samples is its coverage."""


class Canvas:
    """A square of `pixels` x `pixels` pixels whose shapes take coordinates in 0..1, y downwards.

    Every shape is a boolean mask [pixels * SAMPLES, pixels * SAMPLES].
    """

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        side = pixels * SAMPLES
        centres = (np.arange(side) + 0.5) / side
        self._x, self._y = np.meshgrid(centres, centres)

    def ellipse(self, centre: Point, radius_x: float, radius_y: float | None = None) -> Mask:
        """An axis-parallel ellipse; a disc if `radius_y` is None."""
        vertical = radius_x if radius_y is None else radius_y
        return ((self._x - centre[0]) / radius_x) ** 2 + ((self._y - centre[1]) / vertical) ** 2 <= 1

    def rectangle(self, first: Point, last: Point, *, rounding: float = 0.0) -> Mask:
        """The rectangle between two corners, with rounded corners of radius `rounding`."""
        middle_x, middle_y = (first[0] + last[0]) / 2, (first[1] + last[1]) / 2
        beyond_x = np.abs(self._x - middle_x) - (last[0] - first[0]) / 2 + rounding
        beyond_y = np.abs(self._y - middle_y) - (last[1] - first[1]) / 2 + rounding
        corner = np.hypot(np.maximum(beyond_x, 0), np.maximum(beyond_y, 0))
        return corner + np.minimum(np.maximum(beyond_x, beyond_y), 0) <= rounding

    def polygon(self, *points: Point) -> Mask:
        """The inside of a closed polygon by the even-odd rule."""
        inside = np.zeros_like(self._x, dtype=np.bool_)
        for (x0, y0), (x1, y1) in zip(points, (*points[1:], points[0]), strict=True):
            if y0 == y1:
                continue
            crosses = (y0 <= self._y) != (y1 <= self._y)
            inside ^= crosses & (self._x < x0 + (self._y - y0) * (x1 - x0) / (y1 - y0))
        return inside

    def stroke(self, points: Sequence[Point], width: float) -> Mask:
        """A line through the points with round ends, `width` wide."""
        drawn = np.zeros_like(self._x, dtype=np.bool_)
        for (x0, y0), (x1, y1) in pairwise(points):
            along_x, along_y = x1 - x0, y1 - y0
            share = (self._x - x0) * along_x + (self._y - y0) * along_y
            share = np.clip(share / (along_x**2 + along_y**2), 0, 1)
            distance = np.hypot(self._x - x0 - share * along_x, self._y - y0 - share * along_y)
            drawn |= distance <= width / 2
        return drawn

    def below(self, y: float) -> Mask:
        """Everything lower than `y`."""
        return self._y >= y

    def rim(self, shape: Mask, right: float, down: float) -> Mask:
        """The part of a shape that a copy of it, moved by (-right, -down), does not cover.

        With positive values it is a crescent at the lower right.
        """
        side = self.pixels * SAMPLES
        moved = np.roll(shape, (-round(down * side), -round(right * side)), axis=(0, 1))
        return shape & ~moved


def coverage(mask: Mask) -> NDArray[np.float32]:
    """The share of each pixel that a mask covers: [pixels, pixels] in 0..1."""
    pixels = mask.shape[0] // SAMPLES
    blocks = mask.reshape(pixels, SAMPLES, pixels, SAMPLES)
    return blocks.mean(axis=(1, 3), dtype=np.float32)


def grown(mask: Mask, radius: int) -> Mask:
    """The mask, dilated by `radius` samples."""
    height, width = mask.shape
    padded = np.pad(mask, radius)
    result = np.zeros_like(mask)
    for down in range(-radius, radius + 1):
        reach = int((radius**2 - down**2) ** 0.5)
        for right in (-reach, 0, reach):
            top, left = radius + down, radius + right
            result |= padded[top : top + height, left : left + width]
    return result
