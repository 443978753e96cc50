"""Measure how far a changed code reaches in the decoded picture.

    python -m benchmarks.decoder_reach --model models/tiny

Codes inside a rectangle of one picture are replaced by those of another one. The table shows how much the
decoded pixels of the cells around it change, by the distance to the nearest changed cell. Pixels beyond the
reach that the worker puts back from the canvas (`services.worker.composite`) then differ by less than
anybody sees, so that no edge shows.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from luminary.local.pipeline import LocalPipeline
from services.tokenizer.image_codec import decode_grids
from shared.sizes import CELL_PIXELS
from shared.tasks import Task
from shared.token_grid import TokenGrid
from training.scenes import sample_example

Levels = NDArray[np.int16]
"""[..., 3]: differences of brightness, from 0 to 255."""


def replaced(first: TokenGrid, second: TokenGrid, rng: np.random.Generator) -> TokenGrid:
    """The first grid with a rectangle of the second; a quarter of the sides, at a random place."""
    codes = np.array(first.tokens).reshape(first.height, first.width)
    height, width = max(1, first.height // 4), max(1, first.width // 4)
    row, column = rng.integers(first.height - height + 1), rng.integers(first.width - width + 1)
    others = np.array(second.tokens).reshape(codes.shape)
    codes[row : row + height, column : column + width] = others[row : row + height, column : column + width]
    return TokenGrid.from_rows(codes.tolist())


def distances(first: TokenGrid, second: TokenGrid) -> NDArray[np.int64]:
    """[rows, columns]: distance of each cell from the nearest cell whose codes differ; 0 at such a cell."""
    shape = first.height, first.width
    changed = np.argwhere(np.array(first.tokens).reshape(shape) != np.array(second.tokens).reshape(shape))
    rows, columns = np.indices(shape)
    across = np.abs(rows[..., None] - changed[:, 0]), np.abs(columns[..., None] - changed[:, 1])
    return np.maximum(*across).min(axis=-1)


def measure(pipeline: LocalPipeline, cells: int, pairs: int, seed: int) -> dict[int, Levels]:
    """Absolute differences of all pixels, [count, 3], by the distance of their cell from a changed one."""
    rng = np.random.default_rng(seed)
    found: dict[int, list[Levels]] = defaultdict(list)
    for _ in range(pairs):
        first, second = (
            TokenGrid.from_rows(sample_example(rng, Task.TEXT_TO_IMAGE, cells=cells).panel_codes[0].tolist())
            for _ in range(2)
        )
        mixed = replaced(first, second, rng)
        if mixed == first:
            continue
        images = decode_grids(pipeline.movqgan, [first, mixed])
        before, after = (np.asarray(image, np.int16) for image in images)
        far = np.kron(distances(first, mixed), np.ones((CELL_PIXELS, CELL_PIXELS), np.int64))
        for distance in np.unique(far):
            found[int(distance)].append(np.abs(before - after)[far == distance])
    return {distance: np.concatenate(parts) for distance, parts in sorted(found.items())}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/tiny"))
    parser.add_argument("--cells", type=int, default=24, help="rows and columns of the pictures")
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    pipeline = LocalPipeline.load(asked.model)
    found = measure(pipeline, asked.cells, asked.pairs, asked.seed)
    print("| cells from the change | mean change | 99 of 100 below | largest |\n|---|---|---|---|")
    for distance, levels in found.items():
        high = np.percentile(levels, 99)
        print(f"| {distance} | {levels.mean():.3f} | {high:.0f} | {levels.max()} |")


if __name__ == "__main__":
    main()
