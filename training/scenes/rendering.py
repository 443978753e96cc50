"""Render the picture of a scene."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from training.scenes.palette import BANDS, Rgb
from training.scenes.scene import Scene
from training.scenes.stamps import colour_stamp, lay
from training.scenes.world import CELL, Background

Picture = NDArray[np.uint8]
"""[side, side, 3], RGB."""


def render(scene: Scene) -> Picture:
    """The picture of a scene; objects are drawn from far to near onto the background."""
    picture = background_picture(scene.background, scene.cells, scene.horizon).copy()
    for item in scene.objects:
        rows, columns = item.box
        lay(colour_stamp(item.kind, item.colour, item.size), picture[rows, columns])
    return picture


def row_tones(background: Background, cells: int, horizon: int) -> list[Rgb]:
    """The colour of each row of cells of an empty background."""
    high, low, ground = BANDS[background]
    return [high] * (horizon - 2) + [low] * 2 + [ground] * (cells - horizon)


@cache
def background_picture(background: Background, cells: int, horizon: int) -> Picture:
    """An empty background: flat bands of colour that change only between rows of cells.

    So all empty cells of a row look the same, and their codes contain no noise that a model would have to
    learn.
    """
    rows = np.array(row_tones(background, cells, horizon), np.uint8)
    side = cells * CELL
    picture = np.broadcast_to(np.repeat(rows, CELL, axis=0)[:, None], (side, side, 3)).copy()
    picture.flags.writeable = False
    return picture
