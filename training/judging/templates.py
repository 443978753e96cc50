"""Templates of every possible object on every background, as matrices for comparison."""

from functools import cache
from itertools import product
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.scenes.filters import blur
from training.scenes.rendering import background_picture
from training.scenes.scene import Scene
from training.scenes.stamps import colour_stamp, lay, silhouette
from training.scenes.world import CELL, COLOURS, KINDS, Background, Colour, Kind, Size

LOOKS: Final[tuple[tuple[Kind, Colour], ...]] = tuple(product(KINDS, COLOURS))
"""All pairs of kind and colour; row i of every bank is look i."""


SOFTNESS: Final = 0.7
"""Blur, in pixels, of pictures and templates before comparison, since a decoder blurs pictures too."""


class Bank(NamedTuple):
    """All looks of one size in one row of cells, as differences from the background.

    looks:   [96, side * side * 3] float32, blurred and flattened.
    squares: `looks` squared.
    shapes:  [96, side * side * 3] float32, the silhouettes; each row sums to 1.
    """

    looks: NDArray[np.float32]
    squares: NDArray[np.float32]
    shapes: NDArray[np.float32]


def bank(background: Background, size: Size, row: int, cells: int) -> Bank:
    """The bank of the boxes that start in this row of cells."""
    horizon = Scene(background, (), cells).horizon
    strip = background_picture(background, cells, horizon)[row * CELL : row * CELL + size.pixels]
    return _bank(size, strip[:, : size.pixels].tobytes())


@cache
def _bank(size: Size, scenery: bytes) -> Bank:
    """Cached by the pixels of the background, since most of its rows look the same."""
    empty = np.frombuffer(scenery, np.uint8).reshape(size.pixels, size.pixels, 3)
    looks, shapes = np.empty((2, len(LOOKS), empty.size), np.float32)
    margin = ((CELL, CELL), (CELL, CELL), (0, 0))
    for index, (kind, colour) in enumerate(LOOKS):
        picture = empty.copy()
        lay(colour_stamp(kind, colour, size), picture)
        difference = np.pad(picture.astype(np.float32) - empty, margin)
        looks[index] = blur(difference, SOFTNESS)[CELL:-CELL, CELL:-CELL].reshape(-1)
        shape = np.repeat(silhouette(kind, size).reshape(-1), 3)
        shapes[index] = shape / shape.sum()
    return Bank(looks, looks**2, shapes)
