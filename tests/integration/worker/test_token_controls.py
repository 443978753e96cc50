"""Which cells of a picture stay, for each control, on a worker: the kept codes are those of the canvas."""

import io
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Picture
from sqlalchemy import select

from services.worker.composite import REACH_CELLS
from shared.ids import IdKind, format_id
from shared.jobs import JobState
from shared.tables import ImageTokens
from tests.support.platforms.platform import PlatformUnderTest, noise

COLUMNS = 8
CELLS = 64
"""Cells of a picture of 64x64 pixels."""


class Canvas:
    """A drawn picture that other pictures are made of."""

    def __init__(self, platform: PlatformUnderTest, job_id: UUID) -> None:
        [drawn] = platform.outputs(job_id)
        self.codes = drawn.grid.tokens
        self.file = drawn.image.storage_key
        self.id = format_id(IdKind.IMAGE, drawn.image.id)
        stored = select(ImageTokens.certainty).where(ImageTokens.image_id == drawn.image.id)
        with platform.database.transaction() as session:
            certainty = session.scalars(stored).one()
        assert certainty is not None
        self.certainty = np.frombuffer(certainty, "<f2")


def draw_canvas(platform: PlatformUnderTest, **asked: Any) -> Canvas:
    job_id = platform.ask(**asked)
    assert platform.finished(job_id).state == JobState.SUCCEEDED
    return Canvas(platform, job_id)


def draw(platform: PlatformUnderTest, **asked: Any) -> tuple[int, ...]:
    """Codes of a picture that another seed draws."""
    job_id = platform.ask(**{"seed": 99, **asked})
    job = platform.finished(job_id)
    assert job.state == JobState.SUCCEEDED, job.error_message
    return platform.outputs(job_id)[0].grid.tokens


def differing(codes: tuple[int, ...], others: tuple[int, ...]) -> set[int]:
    return {cell for cell, pair in enumerate(zip(codes, others, strict=True)) if pair[0] != pair[1]}


def test_each_control_keeps_the_cells_that_it_names(platform: PlatformUnderTest) -> None:
    right = np.zeros((64, 64, 3), np.uint8)
    right[:, 32:] = 255
    with platform.working():
        canvas, other = draw_canvas(platform), draw_canvas(platform, seed=5)
        rows = draw(platform, keep_from=canvas.id, keep_rows=3)
        masked = draw(platform, keep_from=canvas.id, mask=platform.upload(Picture.fromarray(right)))
        varied = draw(platform, keep_from=canvas.id, variation_strength=0.25)
        region = {"image": other.id, "x": 9, "y": 0, "width": 8, "height": 17}
        pasted = draw(platform, keep_from=canvas.id, keep_rows=7, region_from=[region])
        extended = draw(platform, keep_from=canvas.id, extend={"bottom": 4, "right": 8}, size="128x96")
        edit = draw(platform, task="edit", image=canvas.id, variation_strength=0.25)

    assert 0 < len(differing(rows, canvas.codes))
    assert min(differing(rows, canvas.codes)) >= 3 * COLUMNS
    assert {cell % COLUMNS >= 4 for cell in differing(masked, canvas.codes)} == {True}
    uncertain = set(np.argsort(canvas.certainty, kind="stable")[: CELLS // 4].tolist())
    assert 0 < len(differing(varied, canvas.codes))
    assert differing(varied, canvas.codes) <= uncertain
    assert differing(edit, canvas.codes) <= uncertain
    inside = {row * COLUMNS + column for row in range(3) for column in (1, 2)}
    assert [pasted[cell] for cell in sorted(inside)] == [other.codes[cell] for cell in sorted(inside)]
    assert {cell for cell in differing(pasted, canvas.codes) if cell < 7 * COLUMNS} <= inside
    kept = [extended[row * 16 + column] for row in range(8) for column in range(COLUMNS)]
    assert (len(extended), tuple(kept)) == (12 * 16, canvas.codes)


def test_kept_cells_count_as_certain_and_a_resume_measures_the_same(
    platform: PlatformUnderTest,
) -> None:
    with platform.working():
        canvas = draw_canvas(platform, size="256x256")
        whole = draw_canvas(platform, size="256x256", keep_from=canvas.id, keep_rows=2, seed=3)
    job_id = platform.ask(size="256x256", keep_from=canvas.id, keep_rows=2, seed=3)
    with platform.working():
        platform.started_drawing(job_id)
    with platform.working():
        assert platform.finished(job_id).attempt == 2
    resumed = Canvas(platform, job_id)
    assert np.array_equal(resumed.certainty, whole.certainty)
    assert (whole.certainty[: 2 * 32] == 0).all()
    assert (whole.certainty[2 * 32 :] < 0).all()


def test_an_edit_with_a_mask_changes_no_pixel_far_from_it(platform: PlatformUnderTest) -> None:
    corner = np.zeros((64, 64, 3), np.uint8)
    corner[:8, :8] = 255
    mask = platform.upload(Picture.fromarray(corner))
    with platform.working():
        canvas = draw_canvas(platform)
        edits = [
            platform.ask(task="edit", image=canvas.id, mask=mask, seed=99, composite=composite)
            for composite in (None, "none")
        ]
        for edit in edits:
            assert platform.finished(edit).state == JobState.SUCCEEDED
    before = pixels(platform, canvas.file)
    composed, decoded = (pixels(platform, platform.outputs(edit)[0].image.storage_key) for edit in edits)
    far = np.ones((64, 64), np.bool_)
    far[: 8 * (1 + REACH_CELLS), : 8 * (1 + REACH_CELLS)] = False
    assert np.array_equal(composed[far], before[far])
    assert not np.array_equal(decoded[far], before[far])
    assert np.array_equal(composed[~far], decoded[~far])


def pixels(platform: PlatformUnderTest, key: str) -> NDArray[np.uint8]:
    return np.asarray(Picture.open(io.BytesIO(platform.storage.get(key))))


def test_an_upload_can_be_a_canvas_but_has_no_certainty(platform: PlatformUnderTest) -> None:
    photo = platform.upload(noise(4))
    with platform.working():
        first, second = (draw(platform, keep_from=photo, keep_rows=6, seed=seed) for seed in (1, 2))
        varied = platform.finished(platform.ask(keep_from=photo, variation_strength=0.5))
    assert min(differing(first, second)) >= 6 * COLUMNS
    assert (varied.state, varied.error_code) == (JobState.FAILED, "invalid_request")
    assert "unknown which cells" in str(varied.error_message)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"keep_rows": 8}, "nothing is left to draw"),
        ({"keep_rows": 2, "size": "128x64"}, "was drawn at 64x64"),
    ],
    ids=["all rows", "another size"],
)
def test_what_the_gateway_could_not_know_fails_with_its_reason(
    platform: PlatformUnderTest, asked: dict[str, Any], reason: str
) -> None:
    with platform.working():
        canvas = draw_canvas(platform)
        job = platform.finished(platform.ask(keep_from=canvas.id, **asked))
    assert (job.state, job.error_code) == (JobState.FAILED, "invalid_request")
    assert reason in str(job.error_message)
