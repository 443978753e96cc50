"""Read maps back from pictures, and edges from a picture of a scene."""

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
"""Number of classes: the background, which is class 0, and every kind in its order."""

_CLASS_COLOURS: Final = np.array([(0, 0, 0), *SEGMENTATION.values()], np.float32)

_SAME_AS_SCENERY: Final = 24.0
"""Maximum colour distance of a background pixel from the true background."""


def read_depth(picture: Picture) -> NDArray[np.float64]:
    """The inverse depth of every pixel, which is its grey level: [H, W]."""
    return picture.astype(np.float64).mean(axis=2)


def read_segmentation(picture: Picture) -> NDArray[np.intp]:
    """The class of every pixel, by the nearest class colour: [H, W]."""
    distances = ((picture[:, :, None].astype(np.float32) - _CLASS_COLOURS) ** 2).sum(axis=3)
    return distances.argmin(axis=2)


def read_edges(picture: Picture) -> NDArray[np.bool_]:
    """The pixels of an edge map that are nearer to white than to black: [H, W]."""
    return picture.astype(np.float32).mean(axis=2) >= 128


def object_edges(picture: Picture) -> NDArray[np.bool_]:
    """Canny's edges of the objects in a picture of a scene: [H, W].

    The background is replaced by the grey ground of the exact edge maps, so that its bands give no edges and
    an outline has the same contrast on every background.
    """
    cells = picture.shape[0] // CELL
    background = recognise_background(picture)
    scenery = background_picture(background, cells, Scene(background, (), cells).horizon)
    distance = np.linalg.norm(picture.astype(np.float32) - scenery, axis=2)
    neutral = picture.copy()
    neutral[distance <= _SAME_AS_SCENERY] = NEUTRAL_GROUND
    return canny(neutral)
