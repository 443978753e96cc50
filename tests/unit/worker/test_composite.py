"""Pixels that are put back from the canvas: those of kept cells beyond the decoder's reach."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.worker.composite import REACH_CELLS, put_back, untouched_cells
from shared.sizes import CELL_PIXELS
from shared.token_grid import TokenGrid


def png(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def noise(rows: int, columns: int, seed: int) -> NDArray[np.uint8]:
    shape = (rows * CELL_PIXELS, columns * CELL_PIXELS, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def plain(rows: int, columns: int) -> NDArray[np.int64]:
    return np.zeros((rows, columns), np.int64)


def test_pixels_beyond_the_reach_of_a_change_are_the_canvas() -> None:
    codes = plain(8, 12)
    codes[3, 1] = 5
    canvas, result = noise(8, 12, seed=1), noise(8, 12, seed=2)
    canvas_grid = TokenGrid.from_rows(plain(8, 12).tolist())
    file = put_back(png(result), TokenGrid.from_rows(codes.tolist()), png(canvas), canvas_grid)
    composed = np.asarray(Image.open(io.BytesIO(file)))
    edge = (1 + REACH_CELLS + 1) * CELL_PIXELS
    top = (3 - REACH_CELLS) * CELL_PIXELS
    bottom = (3 + REACH_CELLS + 1) * CELL_PIXELS
    expected = canvas.copy()
    expected[top:bottom, :edge] = result[top:bottom, :edge]
    assert np.array_equal(composed, expected)


def test_new_cells_beside_the_canvas_count_as_changes() -> None:
    grid, canvas = TokenGrid.from_rows(plain(6, 9).tolist()), TokenGrid.from_rows(plain(6, 6).tolist())
    stays = untouched_cells(grid, canvas)
    assert stays.shape == (6, 6)
    assert stays[:, : 6 - REACH_CELLS].all()
    assert not stays[:, 6 - REACH_CELLS :].any()


def test_a_picture_of_another_size_is_fitted_to_the_cells() -> None:
    grid = TokenGrid.from_rows(plain(4, 4).tolist())
    grey = np.full((128, 128, 3), 90, np.uint8)
    file = put_back(png(noise(4, 4, seed=3)), grid, png(grey), grid)
    assert (np.asarray(Image.open(io.BytesIO(file))) == 90).all()
