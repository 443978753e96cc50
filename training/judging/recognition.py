"""Recognise the background and the objects of a picture, with their positions.

Nothing here is learned. The recogniser compares the picture with every stamp of the scene world by matching
pursuit (Mallat and Zhang 1993): it takes the object that explains most of the difference from the background,
excludes its pixels, and repeats. It works for the pictures of any generator whose objects are aligned to
cells, and its own errors can be measured on true pictures.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.judging.templates import LOOKS, SOFTNESS, bank
from training.scenes.filters import blur, near
from training.scenes.rendering import Picture, background_picture
from training.scenes.scene import Scene, SceneObject
from training.scenes.stamps import silhouette
from training.scenes.world import CELL, SCENERIES, SIZES, Background, Size

_OUTLIER: Final = 60.0
"""Maximum colour distance that a pixel counts against a background; beyond it an object hides it."""

_EXPLAINED: Final = 0.75
"""Share of the squared difference from the background that an object must explain to be accepted."""

_NOISE: Final = 12.0
"""Root mean square difference from the background, per channel, up to which there is no object."""

_VISIBLE: Final = 0.4
"""Share of an object that must be visible for it to be considered."""

_MOST_OBJECTS: Final = 8


class _Match(NamedTuple):
    item: SceneObject
    gain: float


def recognise(picture: Picture) -> Scene:
    """The scene that a square picture [side, side, 3] in the style of the scene world shows.

    Objects that match no stamp are left out.
    """
    cells = picture.shape[0] // CELL
    background = recognise_background(picture)
    scenery = background_picture(background, cells, Scene(background, (), cells).horizon)
    difference = blur(picture.astype(np.float32) - scenery, SOFTNESS)
    unclaimed = np.ones(picture.shape[:2], np.float32)
    found: list[SceneObject] = []
    while len(found) < _MOST_OBJECTS:
        matches = [
            match
            for size in SIZES
            for row in range(cells - size.cells + 1)
            if (match := _best_in_row(difference, unclaimed, background, size, row)) is not None
        ]
        if not matches:
            break
        item = max(matches, key=lambda match: match.gain).item
        found.append(item)
        unclaimed[item.box][near(silhouette(item.kind, item.size))] = 0
    return Scene.of(background, found, cells)


def recognise_background(picture: Picture, *, choices: tuple[Background, ...] = SCENERIES) -> Background:
    """The background with the smallest mean colour distance, where large distances are capped."""
    cells = picture.shape[0] // CELL
    pixels = picture.astype(np.float32)

    def distance(background: Background) -> float:
        scenery = background_picture(background, cells, Scene(background, (), cells).horizon)
        return float(np.minimum(np.linalg.norm(pixels - scenery, axis=2), _OUTLIER).mean())

    return min(choices, key=distance)


def _best_in_row(
    difference: NDArray[np.float32],
    unclaimed: NDArray[np.float32],
    background: Background,
    size: Size,
    row: int,
) -> _Match | None:
    """The best match of all boxes of a size that start in a row of cells, or None if none is good enough."""
    cells = difference.shape[0] // CELL
    looks, squares, shapes = bank(background, size, row, cells)
    rows = slice(row * CELL, row * CELL + size.pixels)
    columns = [slice(start * CELL, start * CELL + size.pixels) for start in range(cells - size.cells + 1)]
    shown = np.stack([difference[rows, column].reshape(-1) for column in columns])
    weight = np.stack([np.repeat(unclaimed[rows, column].reshape(-1), 3) for column in columns])
    energy = (weight * shown**2).sum(axis=1, keepdims=True)
    gain = 2 * (weight * shown) @ looks.T - weight @ squares.T
    seen = weight @ shapes.T > _VISIBLE
    seen &= energy > _NOISE**2 * weight.sum(axis=1, keepdims=True)
    seen &= gain > _EXPLAINED * energy
    gain[~seen] = 0
    column, look = np.unravel_index(int(gain.argmax()), gain.shape)
    if gain[column, look] <= 0:
        return None
    kind, colour = LOOKS[look]
    return _Match(SceneObject(kind, colour, size, row, int(column)), float(gain[column, look]))
