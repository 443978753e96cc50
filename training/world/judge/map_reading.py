"""Read maps of the larger world back from pictures."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.world.palette import SEGMENTATION
from training.world.rendering import Picture

CLASSES: Final = len(SEGMENTATION) + 1
"""Number of classes: the landscape, which is class 0, and every kind in its order."""

_CLASS_COLOURS: Final = np.array([(0, 0, 0), *SEGMENTATION.values()], np.int32)


def read_segmentation(picture: Picture) -> NDArray[np.intp]:
    """The class of every pixel, by the nearest class colour: [height, width]."""
    difference = picture[:, :, None].astype(np.int32) - _CLASS_COLOURS
    return (difference**2).sum(axis=3).argmin(axis=2)


def read_lines(picture: Picture) -> NDArray[np.bool_]:
    """The pixels of a map of edges or poses that show a line: [height, width]."""
    return picture.max(axis=2) >= 128
