"""Recognise the setting and the things of a picture, with their positions.

Nothing here is learned. The recogniser compares the picture with every stamp of the world by matching pursuit
(Mallat and Zhang 1993): it takes the thing that explains most of the difference from the empty landscape,
excludes its pixels, and repeats. It works for the pictures of any generator whose things are aligned to
cells, and its own errors can be measured on true pictures.
"""

from functools import cache
from itertools import product
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.scenes.filters import near
from training.world.codes import settings
from training.world.judge.candidates import best_candidate
from training.world.landscape.painting import paint_landscape
from training.world.nouns import CELL, SIZES, Scenery, Size
from training.world.rendering import Picture, empty_picture
from training.world.scene import Canvas, Scene, Setting, Thing
from training.world.stamps import footprint

_OUTLIER: Final = 60.0
"""Maximum sum of channel differences that a pixel counts against a setting; beyond it a thing hides it."""
_STEP: Final = 2
"""Every second row and column of pixels decides the setting."""
_CHANGED: Final = 24.0
"""Sum of channel differences from the landscape beyond which a pixel shows something else."""
_TOUCHED: Final = 3
"""Changed pixels that a cell needs to belong to a thing."""
_MOST_THINGS: Final = 9
_FILLED: Final = 0.4
"""Share of a box's cells that show something; the slimmest thing fills half of its box, and may be hidden."""


class _Settings(NamedTuple):
    """pictures: [settings, pixels * 3] int16, every second pixel of the landscapes."""

    names: list[Setting]
    pictures: NDArray[np.int16]


def recognise(picture: Picture) -> Scene:
    """The scene that a picture [height, width, 3] in the style of the world shows.

    Things that match no stamp are left out.
    """
    canvas = canvas_of(picture)
    setting = recognise_setting(picture)
    landscape = empty_picture(setting, canvas).astype(np.float32)
    shown = picture.astype(np.float32)
    unclaimed = np.ones(picture.shape[:2], np.float32)
    found: list[Thing] = []
    while len(found) < _MOST_THINGS:
        candidates = [
            best
            for size in SIZES
            if (
                best := best_candidate(
                    shown, landscape, unclaimed, size, _boxes(shown, landscape, unclaimed, size)
                )
            )
        ]
        if not candidates:
            break
        item = max(candidates, key=lambda each: each.gain).item
        found.append(item)
        unclaimed[item.box][near(footprint(item.kind, item.size))] = 0
    return Scene.of(setting, found, canvas)


def recognise_setting(picture: Picture) -> Setting:
    """The setting with the smallest mean difference from the picture, where large differences are capped."""
    known = _landscapes(canvas_of(picture))
    pixels = picture[::_STEP, ::_STEP].astype(np.int16)
    distance = np.abs(known.pictures - pixels).sum(axis=3, dtype=np.int32)
    return known.names[int(np.minimum(distance, _OUTLIER).mean(axis=(1, 2)).argmin())]


def canvas_of(picture: Picture) -> Canvas:
    """The size of a picture in cells."""
    return Canvas(picture.shape[0] // CELL, picture.shape[1] // CELL)


def _boxes(
    shown: NDArray[np.float32], landscape: NDArray[np.float32], unclaimed: NDArray[np.float32], size: Size
) -> list[tuple[int, int]]:
    """Row and column of the boxes of this size in which enough cells show something."""
    changed = (np.abs(shown - landscape).sum(axis=2) > _CHANGED) & (unclaimed > 0)
    rows, columns = changed.shape[0] // CELL, changed.shape[1] // CELL
    touched = changed.reshape(rows, CELL, columns, CELL).sum(axis=(1, 3)) >= _TOUCHED
    return [
        (row, column)
        for row, column in product(range(rows - size.cells + 1), range(columns - size.cells + 1))
        if touched[row : row + size.cells, column : column + size.cells].mean() >= _FILLED
    ]


@cache
def _landscapes(canvas: Canvas) -> _Settings:
    names = [setting for setting in settings() if setting.scenery is not Scenery.PLAIN]
    height, width = canvas.pixels
    pictures = [paint_landscape(s.scenery, s.time, s.weather)[:height:_STEP, :width:_STEP] for s in names]
    return _Settings(names, np.stack(pictures).astype(np.int16))
