"""From a scene to its picture."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from training.scenes.palette import BANDS
from training.scenes.scene import Scene
from training.scenes.stamps import colour_stamp, lay
from training.scenes.world import CELL, Background

Picture = NDArray[np.uint8]
"""[side, side, 3], RGB."""


def render(scene: Scene) -> Picture:
    """The picture of a scene: the background, then its objects from far to near."""
    picture = background_picture(scene.background, scene.cells, scene.horizon).copy()
    for item in scene.objects:
        rows, columns = item.box
        lay(colour_stamp(item.kind, item.colour, item.size), picture[rows, columns])
    return picture


@cache
def background_picture(background: Background, cells: int, horizon: int) -> Picture:
    """The empty scenery: flat bands that change only between rows of token cells.

    So an empty cell looks the same along its whole row, and its token carries no noise to be learned.
    """
    high, low, ground = BANDS[background]
    rows = np.empty((cells, 3), np.uint8)
    rows[: horizon - 2] = high
    rows[horizon - 2 : horizon] = low
    rows[horizon:] = ground
    side = cells * CELL
    picture = np.broadcast_to(np.repeat(rows, CELL, axis=0)[:, None], (side, side, 3)).copy()
    picture.flags.writeable = False
    return picture
