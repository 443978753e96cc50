"""Pictures for the image tokenizer, and the different looks of their cells."""

from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.scenes import Picture, Task, sample_example
from training.scenes.world import CELL

SHARES: Final[dict[Task, float]] = {
    Task.EDIT: 0.3,
    Task.CONTROL: 0.25,
    Task.DENSE: 0.25,
    Task.SUBJECT: 0.15,
    Task.TEXT_TO_IMAGE: 0.05,
}
"""Share of the tasks whose panels are the pictures; control and dense prediction bring every kind of map."""


class Looks(NamedTuple):
    """The different looks of single cells.

    pixels: [looks, 3, 8, 8] in [-1, 1]. counts: [looks] float32, how many cells look so.
    """

    pixels: Tensor
    counts: Tensor


def sample_pictures(count: int, seed: int, step: int, *, cells: int) -> NDArray[np.uint8]:
    """The pictures of one training step: [count, side, side, 3], a function of the arguments alone."""
    rng = np.random.default_rng([seed, step])
    tasks, shares = list(SHARES), list(SHARES.values())
    pictures: list[Picture] = []
    while len(pictures) < count:
        task = tasks[int(rng.choice(len(tasks), p=shares))]
        pictures.extend(sample_example(rng, task, cells=cells).panels)
    return np.stack(pictures[:count])


def to_pixels(pictures: NDArray[np.uint8]) -> Tensor:
    """[batch, side, side, 3] levels to [batch, 3, side, side] in [-1, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def distinct_cells(pictures: NDArray[np.uint8]) -> Looks:
    """Every look of a cell in [batch, side, side, 3] pictures, once."""
    squares = _squares(pictures)
    number, count = label_cells(pictures)
    first = torch.full((len(count),), len(number)).scatter_reduce_(
        0, number, torch.arange(len(number)), "amin"
    )
    return Looks(to_pixels(squares[first.numpy()]), count.float())


def label_cells(pictures: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
    """A number for the look of each cell, row by row and picture by picture, and how many cells have it."""
    squares = torch.from_numpy(_squares(pictures)).flatten(1).long()
    # a random linear hash modulo 2^64; that two of a million looks collide has a chance of about 1e-7
    factors = torch.randint(1 << 62, squares.shape[1:], generator=torch.Generator().manual_seed(0))
    _, number, count = torch.unique((squares * factors).sum(1), return_inverse=True, return_counts=True)
    return number, count


def _squares(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[batch, side, side, 3] to [cells, 8, 8, 3]."""
    batch, side = pictures.shape[:2]
    grid = side // CELL
    squares = pictures.reshape(batch, grid, CELL, grid, CELL, 3).transpose(0, 1, 3, 2, 4, 5)
    return squares.reshape(-1, CELL, CELL, 3)
