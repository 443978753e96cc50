"""Training pictures for the image tokenizer of the larger world, with the true code of every cell.

Pictures of a step have one size. Most are small and crowded: a decoder learns things there as well as in
large pictures, and landscapes need few looks.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from shared.tasks import MapKind
from training.tokenizer.pictures import LabelledPictures
from training.world.codes import label_cells
from training.world.examples import alone
from training.world.layout import (
    draw_looks,
    draw_novelty,
    draw_setting,
    most_things,
    pick,
    scatter,
    stand_in_front,
    weighted,
)
from training.world.maps import render_map
from training.world.rendering import Picture, render
from training.world.scene import LITTLE, MAIN, TALL, WIDE, Canvas, Scene
from training.world.splits import Split

SIZES: Final[dict[Canvas, float]] = {LITTLE: 0.7, TALL: 0.1, WIDE: 0.1, MAIN: 0.1}
"""Share of the steps with pictures of each size."""
_STACKED: Final = 0.15
"""Share of the steps whose pictures are pairs of a picture and its map, decoded as one."""
_MAPS, _OVERLAPS, _SUBJECTS = 0.4, 0.2, 0.04
"""Share of maps, of scenes with a thing in front of another one, and of things alone."""
MEDIA: Final[tuple[MapKind, ...]] = tuple(MapKind)


@dataclass(frozen=True, slots=True)
class PictureMaker:
    """Makes the pictures of a step; can be sent to other processes.

    count: pictures of the smallest size; a step has fewer pictures of larger sizes.
    """

    count: int
    seed: int
    split: Split = "train"

    def __call__(self, step: int) -> LabelledPictures:
        rng = np.random.default_rng([self.seed, step])
        canvas = weighted(rng, SIZES)
        is_stacked = rng.random() < _STACKED
        cells = canvas.rows * canvas.columns * (2 if is_stacked else 1)
        count = max(2, self.count * LITTLE.rows * LITTLE.columns // cells)
        drawn = [self._panels(rng, canvas, is_stacked=is_stacked) for _ in range(count)]
        return LabelledPictures(np.stack([p for p, _ in drawn]), np.stack([c for _, c in drawn]))

    def _panels(
        self, rng: Generator, canvas: Canvas, *, is_stacked: bool
    ) -> tuple[Picture, NDArray[np.int64]]:
        """One picture with its codes, or a picture above its map."""
        scene = crowded_scene(rng, canvas, self.split)
        shown = pick(rng, MEDIA)
        if is_stacked:
            pictures = np.concatenate([render(scene), render_map(scene, shown)])
            return pictures, np.concatenate([label_cells(scene), label_cells(scene, shown)])
        if rng.random() < _MAPS:
            return render_map(scene, shown), label_cells(scene, shown)
        return render(scene), label_cells(scene)


def crowded_scene(rng: Generator, canvas: Canvas, split: Split) -> Scene:
    """A scene with many things, one with a thing in front of another, or a thing alone on plain ground."""
    chance = rng.random()
    count = 2 if chance < _OVERLAPS else most_things(canvas) - int(rng.random() * 3)
    looks = draw_looks(rng, max(1, count), draw_novelty(rng, split, count))
    if chance > 1 - _SUBJECTS:
        return alone(scatter(rng, looks[:1], canvas)[0], canvas)
    if chance < _OVERLAPS:
        return Scene.of(draw_setting(rng), stand_in_front(rng, looks[0], looks[1], canvas), canvas)
    return Scene.of(draw_setting(rng), scatter(rng, looks, canvas), canvas)
