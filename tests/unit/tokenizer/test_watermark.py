"""The detector finds the noise that pictures were drawn with, and finds nothing in other pictures."""

import math

import numpy as np
import pytest
import torch

from services.tokenizer.watermark import Evidence, Place, WatermarkDetector, layouts, log_gamma_tail
from services.worker.engine.layout.image_grammar import ImageShape
from services.worker.engine.sampling.noise import gumbel_noise
from shared.noise_keys import NoiseSecret
from shared.token_grid import TokenGrid

SECRET = NoiseSecret.from_text("a secret for these tests")
ROWS, COLUMNS, CODES, SEEDS = 16, 12, 512, 1 << 12
DETECTOR = WatermarkDetector(SECRET, SEEDS, images=2)


def drawn(seed: int, image: int = 0, *, lower: bool = False, agreement: float = 1.0) -> TokenGrid:
    """A grid that the engine would draw from random scores; only a part of its codes is left."""
    rng = np.random.default_rng(seed)
    positions = [int(position) for position in layouts(ROWS, COLUMNS)[lower]]
    noise = gumbel_noise(seed, image, positions, torch.arange(CODES), SECRET).numpy()
    codes = (rng.normal(size=noise.shape) + noise).argmax(1)
    lost = rng.random(len(codes)) > agreement
    codes[lost] = rng.integers(0, CODES, lost.sum())
    return TokenGrid(ROWS, COLUMNS, tuple(codes.tolist()))


def part(grid: TokenGrid, rows: slice, columns: slice) -> TokenGrid:
    return TokenGrid.from_rows([row[columns] for row in grid.rows()[rows]])


@pytest.mark.parametrize(("image", "lower"), [(0, False), (1, True)])
def test_seed_and_candidate_are_found_although_most_codes_have_changed(image: int, lower: bool) -> None:
    found = DETECTOR.detect(drawn(3333, image, lower=lower, agreement=0.4))
    assert (found.seed, found.image, found.cells) == (3333, image, ROWS * COLUMNS)
    assert found.log_p < math.log(1e-20)


@pytest.mark.parametrize("seed", range(5))
def test_other_pictures_have_no_evidence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grids = [
        TokenGrid(ROWS, COLUMNS, tuple(rng.integers(0, CODES, ROWS * COLUMNS).tolist())),
        TokenGrid(ROWS, COLUMNS, (seed,) * (ROWS * COLUMNS)),
        drawn(SEEDS + seed),
    ]
    assert min(DETECTOR.detect(grid).log_p for grid in grids) > math.log(1e-4)


def test_another_secret_finds_nothing() -> None:
    other = WatermarkDetector(NoiseSecret.from_text("another secret for tests"), SEEDS, images=1)
    assert other.detect(drawn(77)).log_p > math.log(1e-4)


def test_a_known_seed_is_confirmed_in_a_part_of_the_picture() -> None:
    seed = 1 << 40
    corner = part(drawn(seed), slice(4, 10), slice(2, 10))
    found = DETECTOR.confirm(corner, seed, 0, Place(ROWS, COLUMNS, 4, 2))
    assert isinstance(found, Evidence)
    assert found.log_p < math.log(1e-20)
    assert DETECTOR.confirm(corner, seed, 0, Place(ROWS, COLUMNS, 3, 2)).log_p > math.log(1e-4)


def test_cells_have_the_positions_that_the_engine_gives_them() -> None:
    shape = ImageShape.of_pixels(COLUMNS * 8, ROWS * 8)
    offsets = [shape.offset_of(row, column) for row in range(ROWS) for column in range(COLUMNS)]
    upper, lower = (half.tolist() for half in layouts(ROWS // 2, COLUMNS))
    assert layouts(ROWS, COLUMNS)[0].tolist() == offsets == upper + lower


def test_the_bound_is_above_the_exact_tail() -> None:
    """The exact tail of a sum of exponential variables, by its Poisson form."""
    for total in (30.0, 40.0, 80.0):
        exact = sum(math.exp(-total + k * math.log(total) - math.lgamma(k + 1)) for k in range(25))
        assert math.log(exact) <= log_gamma_tail(25, total)
    assert log_gamma_tail(25, 20.0) == 0.0
