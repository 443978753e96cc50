"""Pictures for the image tokenizer, with the code that every cell should have."""

from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.scenes import Picture, Split, Task, sample_example

SHARES: Final[dict[Task, float]] = {
    Task.EDIT: 0.3,
    Task.CONTROL: 0.25,
    Task.DENSE: 0.25,
    Task.SUBJECT: 0.15,
    Task.TEXT_TO_IMAGE: 0.05,
}
"""Share of the tasks whose panels are the pictures; control and dense prediction bring every kind of map."""


class LabelledPictures(NamedTuple):
    """pictures: [batch, side, side, 3] uint8. codes: [batch, cells, cells] int64."""

    pictures: NDArray[np.uint8]
    codes: NDArray[np.int64]


def sample_pictures(
    count: int, seed: int, step: int, *, cells: int, split: Split = "train"
) -> LabelledPictures:
    """The pictures of one training step, a function of the arguments alone."""
    rng = np.random.default_rng([seed, step])
    tasks, shares = list(SHARES), list(SHARES.values())
    pictures: list[Picture] = []
    codes: list[NDArray[np.int64]] = []
    while len(pictures) < count:
        task = tasks[int(rng.choice(len(tasks), p=shares))]
        example = sample_example(rng, task, split, cells=cells)
        pictures.extend(example.panels)
        codes.extend(example.panel_codes)
    return LabelledPictures(np.stack(pictures[:count]), np.stack(codes[:count]))


def to_pixels(pictures: NDArray[np.uint8]) -> Tensor:
    """[batch, side, side, 3] levels to [batch, 3, side, side] in [-1, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
