"""The painting ground of a landscape: soft shapes above the horizon, textures in the cells of the ground.

Landscapes are painted for the main size; smaller pictures show their upper left part, so a picture that is
extended goes on as if it had been larger all along. Shapes at the horizon repeat every four cells and
textures are chosen by their cell, which keeps the number of different cells small.
"""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.world.nouns import CELL
from training.world.palette import Rgb

CELLS: Final = 12
"""Rows and columns of cells of the main size."""
HORIZON: Final = 3
"""The first row of cells that is ground."""
PERIOD: Final = 4 * CELL
"""Pixels after which the shapes at the horizon repeat."""

_FINE: Final = 4
"""Samples along one side of a pixel."""
Field = NDArray[np.floating]
Shape = NDArray[np.bool_]
Mark = tuple[float, float, float, float]
"""A small ellipse of a texture: centre and radii in pixels within a cell."""


class Easel:
    """picture: [96, 96, 3]. x, y: coordinates in pixels of every sample above the horizon."""

    def __init__(self) -> None:
        self.picture = np.zeros((CELLS * CELL, CELLS * CELL, 3), np.float32)
        columns, rows = (
            (np.arange(cells * CELL * _FINE) + 0.5).astype(np.float32) / _FINE for cells in (CELLS, HORIZON)
        )
        self.x, self.y = np.meshgrid(columns, rows)
        self.within = self.x % PERIOD

    def fill(self, top: int, bottom: int, first: Rgb, last: Rgb | None = None) -> None:
        """Rows of pixels from `top` to `bottom`, in one colour or running from the first to the last."""
        rows = np.arange(top, bottom)
        share = ((rows + 0.5 - top) / (bottom - top))[:, None, None]
        self.picture[rows] = np.array(first) * (1 - share) + np.array(last or first) * share

    def lay(self, shape: Shape, colour: Rgb, opacity: float = 1.0) -> None:
        """A shape above the horizon, in one colour."""
        sky = self.picture[: HORIZON * CELL]
        cover = coverage(shape)[..., None] * opacity
        sky[:] = sky * (1 - cover) + np.array(colour, np.float32) * cover

    def disc(self, x: float, y: float, rx: float, ry: float | None = None) -> Shape:
        """An ellipse, a disc without `ry`."""
        return ((self.x - x) / rx) ** 2 + ((self.y - y) / (ry or rx)) ** 2 <= 1

    def each(self, shape: Callable[[Field], Shape]) -> Shape:
        """A shape that repeats: it takes the x coordinate within the period and to both sides of it."""
        return shape(self.within) | shape(self.within - PERIOD) | shape(self.within + PERIOD)

    def hills(self, base: float, *humps: tuple[float, float, float]) -> Shape:
        """A hilly strip down to the ground, from humps of (middle, half width, height) above `base`.

        Shapes are made by sums and products alone: their pixels are the same on every machine.
        """
        height = np.full(self.x.shape, base, np.float32)
        for middle, half, high in humps:
            for shift in (-PERIOD, 0, PERIOD):
                distance = np.minimum(np.abs(self.within - middle - shift) / half, 1)
                height = np.minimum(height, base - high * (1 - distance**2))
        return self.y >= height

    def ridge(self, *points: tuple[float, float]) -> Shape:
        """The area between a line through points of growing x and the height of the first one, repeated."""
        inside = np.zeros(self.x.shape, np.bool_)
        for (x0, y0), (x1, y1) in pairwise(points):
            slope = y0 + (self.within - x0) * ((y1 - y0) / (x1 - x0))
            inside |= (self.within >= x0) & (self.within < x1) & (self.y >= slope)
        return inside & (self.y < points[0][1])

    def texture(self, row: int, column: int, marks: Sequence[Mark], colour: Rgb, opacity: float) -> None:
        """Marks in one cell."""
        if marks:
            self.tint(row, column, _marked(tuple(marks)) * opacity, colour)

    def tint(self, row: int, column: int, cover: Field, colour: Rgb) -> None:
        """Cover a cell with a colour. cover: opacity of each pixel, [8, 8, 1]."""
        cell = self.picture[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
        cell[:] = cell * (1 - cover) + np.array(colour, np.float32) * cover


def coverage(shape: Shape) -> Field:
    """The share of each pixel that a shape of samples covers."""
    height, width = shape.shape[0] // _FINE, shape.shape[1] // _FINE
    return shape.reshape(height, _FINE, width, _FINE).mean(axis=(1, 3), dtype=np.float32)


def cell_samples() -> tuple[Field, Field]:
    """x and y of the samples of one cell, in pixels from its upper left corner."""
    line = (np.arange(CELL * _FINE) + 0.5).astype(np.float32) / _FINE
    x, y = np.meshgrid(line, line)
    return x, y


def variant(row: int, column: int, count: int) -> int:
    """A fixed, irregular choice for a cell among `count` kinds."""
    mixed = (row * 73856093) ^ (column * 19349663) ^ ((row + 3 * column) * 83492791)
    return (mixed >> 4) % count


@cache
def _marked(marks: tuple[Mark, ...]) -> Field:
    x, y = cell_samples()
    shape = np.zeros(x.shape, np.bool_)
    for at_x, at_y, rx, ry in marks:
        shape |= ((x - at_x) / rx) ** 2 + ((y - at_y) / ry) ** 2 <= 1
    return coverage(shape)[..., None]
