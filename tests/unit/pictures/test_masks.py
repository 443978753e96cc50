"""Which cells a mask frees, by which reading."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.pictures.mask_modes import MaskMode, MaskReading
from shared.pictures.masks import CellMask, MaskRecord, read_mask, touched_cells

CASES = Path(__file__).parents[2] / "cases" / "mask_alpha"
WHITE, TRANSPARENT = MaskReading.WHITE_EDITS, MaskReading.TRANSPARENT_EDITS
QUARTER = np.zeros((8, 8), np.bool_)
QUARTER[:4, :4] = True


def read(data: bytes, mode: MaskMode = MaskMode.AUTO, size: tuple[int, int] = (64, 64)) -> CellMask:
    return read_mask(data, max_pixels=10**7, size=size, cell=8, mode=mode)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def cells(mask: CellMask) -> np.ndarray:
    return np.array(mask.free).reshape(mask.rows, mask.columns)


@pytest.mark.parametrize(
    ("name", "reading", "expected"),
    [
        ("white_on_black", WHITE, QUARTER),
        ("one_bit", WHITE, QUARTER),
        ("dark_16bit", WHITE, QUARTER),
        ("white_on_transparent", WHITE, QUARTER),
        ("LA", WHITE, QUARTER),
        ("openai_transparent", TRANSPARENT, QUARTER),
        ("openai_picture_with_hole", TRANSPARENT, QUARTER),
        ("black_on_transparent", TRANSPARENT, ~QUARTER),
    ],
)
def test_a_mask_is_read_by_its_content(name: str, reading: MaskReading, expected: np.ndarray) -> None:
    """Found: white on transparent and grey with alpha freed 64 of 64 cells. Right: the quarter, 16 cells.

    A picture with a hole freed 46 cells (its bright pixels too); right are the 16 of the hole. Black on a
    transparent layer is OpenAI's form: its transparent part, 48 cells, is free.
    """
    mask = read((CASES / f"{name}.png").read_bytes())
    assert mask.reading is reading
    assert np.array_equal(cells(mask), expected)


@pytest.mark.parametrize(
    ("name", "mode", "free"),
    [
        ("white_on_transparent", MaskMode.TRANSPARENT_EDITS, 48),
        ("openai_picture_with_hole", MaskMode.WHITE_EDITS, 30),
        ("black_on_transparent", MaskMode.WHITE_EDITS, 0),
        ("white_on_black", MaskMode.TRANSPARENT_EDITS, 0),
        ("white_on_black", MaskMode.BLACK_EDITS, 48),
    ],
)
def test_a_request_may_insist_on_a_reading(name: str, mode: MaskMode, free: int) -> None:
    mask = read((CASES / f"{name}.png").read_bytes(), mode)
    assert (mask.reading.value, mask.cells_free) == (mode.value, free)


@pytest.mark.parametrize("levels", [(0, 1), (0, 100), (200, 255)])
def test_of_two_levels_the_brighter_one_marks(levels: tuple[int, int]) -> None:
    drawn = np.full((64, 64), levels[0], np.uint8)
    drawn[:32, :32] = levels[1]
    assert np.array_equal(cells(read(png(Image.fromarray(drawn)))), QUARTER)


@pytest.mark.parametrize(("level", "free"), [(0, 0), (127, 0), (128, 64), (255, 64)])
def test_a_mask_of_one_level_marks_all_or_nothing(level: int, free: int) -> None:
    assert read(png(Image.new("L", (64, 64), level))).cells_free == free


def test_a_half_transparent_brush_marks_as_an_opaque_one() -> None:
    layer = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    layer.paste((255, 255, 255, 90), (0, 0, 32, 32))
    mask = read(png(layer))
    assert mask.reading is WHITE
    assert np.array_equal(cells(mask), QUARTER)


def test_palettes_with_a_transparent_entry_have_alpha() -> None:
    layer = Image.new("P", (64, 64), 1)
    layer.putpalette([255, 255, 255, 0, 0, 0])
    layer.paste(0, (0, 0, 32, 32))
    buffer = io.BytesIO()
    layer.save(buffer, "PNG", transparency=1)
    assert np.array_equal(cells(read(buffer.getvalue())), QUARTER)


def test_every_marked_pixel_frees_its_cell_however_much_the_mask_is_scaled_down() -> None:
    """Found: a stroke of one pixel was averaged away. Right: what is marked may change."""
    drawn = np.zeros((1024, 1024), np.uint8)
    drawn[700, :] = 255
    free = cells(read(png(Image.fromarray(drawn))))
    assert np.array_equal(np.flatnonzero(free.any(axis=1)), [700 * 64 // 1024 // 8])
    assert free[5].all()


@pytest.mark.parametrize("side", [8, 64, 100, 512])
def test_a_half_is_a_half_at_every_scale(side: int) -> None:
    drawn = np.zeros((side, side), np.bool_)
    drawn[:, side // 2 :] = True
    free = touched_cells(drawn, (64, 64), 8)
    assert free[:, 4:].all()
    assert not free[:, :4].any()


def test_a_wider_mask_is_cut_in_the_middle_as_its_picture_is() -> None:
    drawn = np.zeros((64, 128), np.bool_)
    drawn[:, 32:40] = True
    drawn[:, :32] = True
    assert np.flatnonzero(touched_cells(drawn, (64, 64), 8).any(axis=0)).tolist() == [0]


def test_the_understood_mask_is_read_as_itself() -> None:
    mask = read((CASES / "openai_picture_with_hole.png").read_bytes())
    record = MaskRecord.of(mask, 8)
    assert (record.width, record.height, record.cells_free, record.cells_total) == (64, 64, 16, 64)
    again = read(record.png())
    assert again.free == mask.free
    assert again.reading is WHITE
