"""Render the picture of a scene."""

import numpy as np
from numpy.typing import NDArray

from training.world.landscape.painting import paint_landscape
from training.world.scene import Canvas, Scene, Setting
from training.world.stamps import colour_stamp, lay

Picture = NDArray[np.uint8]
"""[height, width, 3], RGB."""


def render(scene: Scene) -> Picture:
    """The picture of a scene; things are drawn from far to near onto the landscape."""
    picture = empty_picture(scene.setting, scene.canvas).copy()
    for item in scene.things:
        rows, columns = item.box
        lay(colour_stamp(item.kind, item.colour, item.pattern, item.size), picture[rows, columns])
    return picture


def empty_picture(setting: Setting, canvas: Canvas) -> Picture:
    """The landscape of a setting; smaller pictures show the upper left part of the main size."""
    height, width = canvas.pixels
    return paint_landscape(setting.scenery, setting.time, setting.weather)[:height, :width]
