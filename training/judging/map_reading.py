"""Reading maps back from pictures, and edges from a picture of a scene."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.judging.recognition import recognise_background
from training.scenes.filters import canny
from training.scenes.palette import SEGMENTATION
from training.scenes.rendering import Picture, background_picture
from training.scenes.scene import Scene
from training.scenes.stamps import NEUTRAL_GROUND
from training.scenes.world import CELL

CLASSES: Final = len(SEGMENTATION) + 1
"""The background, class 0, and every kind in its order."""

_CLASS_COLOURS: Final = np.array([(0, 0, 0), *SEGMENTATION.values()], np.float32)

_SAME_AS_SCENERY: Final = 24.0
"""Colour distance within which a pixel belongs to the scenery."""


def read_depth(picture: Picture) -> NDArray[np.float64]:
    """The grey level of every pixel, which is its inverse depth: [H, W]."""
    return picture.astype(np.float64).mean(axis=2)


def read_segmentation(picture: Picture) -> NDArray[np.intp]:
    """The class of the nearest class colour: [H, W]."""
    distances = ((picture[:, :, None].astype(np.float32) - _CLASS_COLOURS) ** 2).sum(axis=3)
    return distances.argmin(axis=2)


def read_edges(picture: Picture) -> NDArray[np.bool_]:
    """The pixels of an edge picture that are rather white than black: [H, W]."""
    return picture.astype(np.float32).mean(axis=2) >= 128


def object_edges(picture: Picture) -> NDArray[np.bool_]:
    """Canny's edges of the objects in a picture of a scene: [H, W].

    The scenery is painted over with the grey before which the exact edge maps were made, so that its bands
    give no edges and an object's outline has the same contrast before every background.
    """
    cells = picture.shape[0] // CELL
    background = recognise_background(picture)
    scenery = background_picture(background, cells, Scene(background, (), cells).horizon)
    distance = np.linalg.norm(picture.astype(np.float32) - scenery, axis=2)
    neutral = picture.copy()
    neutral[distance <= _SAME_AS_SCENERY] = NEUTRAL_GROUND
    return canny(neutral)
