"""Training pictures for the image tokenizer, with the true code of every cell."""

from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from shared.tasks import MapKind, Task
from training.scenes import Picture, Scene, Split, render, render_map, sample_example
from training.scenes.cell_codes import label_cells
from training.scenes.layout import draw_background, draw_novelty, draw_objects, pick, stand_in_front

SHARES: Final[dict[Task, float]] = {
    Task.EDIT: 0.3,
    Task.CONTROL: 0.25,
    Task.DENSE: 0.25,
    Task.SUBJECT: 0.15,
    Task.TEXT_TO_IMAGE: 0.05,
}
"""Share of each task whose panels are used; control and dense prediction contain every kind of map."""

OVERLAPS: Final = 0.25
"""Share of draws that show one object in front of another, with a map; the tasks themselves have few."""


class LabelledPictures(NamedTuple):
    """pictures: [batch, side, side, 3] uint8. codes: [batch, cells, cells] int64."""

    pictures: NDArray[np.uint8]
    codes: NDArray[np.int64]


def sample_pictures(
    count: int, seed: int, step: int, *, cells: int, split: Split = "train"
) -> LabelledPictures:
    """The pictures of one training step; they depend only on the arguments."""
    rng = np.random.default_rng([seed, step])
    tasks, shares = list(SHARES), list(SHARES.values())
    pictures: list[Picture] = []
    codes: list[NDArray[np.int64]] = []
    while len(pictures) < count:
        if rng.random() < OVERLAPS:
            scene, shown = _overlap(rng, split, cells), pick(rng, tuple(MapKind))
            pictures.extend((render(scene), render_map(scene, shown)))
            codes.extend((label_cells(scene), label_cells(scene, shown)))
            continue
        task = tasks[int(rng.choice(len(tasks), p=shares))]
        example = sample_example(rng, task, split, cells=cells)
        pictures.extend(example.panels)
        codes.extend(example.panel_codes)
    return LabelledPictures(np.stack(pictures[:count]), np.stack(codes[:count]))


def _overlap(rng: Generator, split: Split, cells: int) -> Scene:
    """A scene with two objects, the first in front of the second."""
    first, second = draw_objects(rng, 2, draw_novelty(rng, split, 2))
    return Scene.of(draw_background(rng), stand_in_front(rng, first, second, cells), cells)


def to_pixels(pictures: NDArray[np.uint8]) -> Tensor:
    """Convert [batch, side, side, 3] in 0..255 to [batch, 3, side, side] in [-1, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
