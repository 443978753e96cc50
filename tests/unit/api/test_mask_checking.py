"""Masks that are refused before their job is queued, and the size at which cells are counted."""

import pytest

from services.api.jobs.check_mask import GivenImage, has_shape_of, judge_mask, panel_size
from services.api.problems.codes import Problem
from shared.pictures.mask_modes import MaskMode, MaskReading
from shared.pictures.masks import CellMask
from shared.schemas.jobs import JobRequest
from shared.tasks import Task

IMAGE = "img_00t8bh6ef7f1pv3n8q0sxghg3w"
SQUARE = GivenImage(64, 64, is_drawn=False)


def mask(free: int, drawn: tuple[int, int] = (64, 64)) -> CellMask:
    cells = tuple(index < free for index in range(64))
    return CellMask(MaskReading.WHITE_EDITS, 8, 8, cells, *drawn)


def request(**fields: object) -> JobRequest:
    asked = {"task": Task.EDIT, "prompt": "x", "image": IMAGE, "mask": IMAGE, **fields}
    return JobRequest.model_validate(asked)


@pytest.mark.parametrize(
    ("judged", "mode", "words"),
    [
        (mask(0), MaskMode.AUTO, "frees no cell"),
        (mask(0), MaskMode.WHITE_EDITS, "frees no cell"),
        (mask(64), MaskMode.AUTO, "frees all 64 cells"),
        (mask(16, (32, 64)), MaskMode.AUTO, "it has 32x64 pixels, but the image has 64x64"),
        (mask(16, (32, 64)), MaskMode.WHITE_EDITS, "it has 32x64 pixels, but the image has 64x64"),
    ],
)
def test_a_black_a_full_and_a_half_width_mask_are_refused(
    judged: CellMask, mode: MaskMode, words: str
) -> None:
    """Fixed bug: such jobs were queued, and failed or changed the whole image."""
    with pytest.raises(Problem, match="mask: ") as refused:
        judge_mask(judged, SQUARE, (64, 64), mode)
    assert refused.value.param == "mask"
    assert words in refused.value.detail


@pytest.mark.parametrize(
    ("judged", "mode"),
    [
        (mask(16), MaskMode.AUTO),
        (mask(64), MaskMode.WHITE_EDITS),
        (mask(16, (1024, 1024)), MaskMode.AUTO),
        (mask(16, (1024, 1023)), MaskMode.AUTO),
    ],
)
def test_others_are_taken_and_a_full_one_where_it_is_asked_for(judged: CellMask, mode: MaskMode) -> None:
    judge_mask(judged, SQUARE, (64, 64), mode)


def test_a_mask_of_the_result_s_size_fits_an_image_of_another_shape() -> None:
    judge_mask(mask(16, (64, 64)), GivenImage(640, 480, is_drawn=False), (64, 64), MaskMode.AUTO)


@pytest.mark.parametrize(
    ("drawn", "image", "fits"),
    [
        ((512, 384), (1023, 767), True),
        ((8, 6), (64, 48), True),
        ((8, 8), (64, 48), False),
        ((64, 32), (64, 64), False),
        ((1, 1), (4000, 3000), True),
    ],
)
def test_a_mask_has_its_image_s_proportions_to_within_a_pixel(
    drawn: tuple[int, int], image: tuple[int, int], fits: bool
) -> None:
    assert has_shape_of(drawn, image) is fits


@pytest.mark.parametrize(
    ("image", "asked", "offer", "size"),
    [
        (SQUARE, {"size": "96x64"}, {"default_size": "64x64"}, (96, 64)),
        (GivenImage(96, 64, is_drawn=True), {}, {"default_size": "256x256"}, (96, 64)),
        (GivenImage(96, 64, is_drawn=True), {}, {"sizes": {"edit": ["64x64", "32x32"]}}, (64, 64)),
        (GivenImage(900, 600, is_drawn=False), {}, {"default_size": "64x64"}, (64, 32)),
        (GivenImage(900, 900, is_drawn=False), {}, {}, (512, 512)),
    ],
)
def test_cells_are_counted_at_the_size_that_a_worker_would_take(
    image: GivenImage, asked: dict[str, str], offer: dict[str, object], size: tuple[int, int]
) -> None:
    assert panel_size(image, request(**asked), [{"name": "m", **offer}]) == size
