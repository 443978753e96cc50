"""The sizes that a model was trained for come from its own list, or from the reference's tables."""

import json
from pathlib import Path

import pytest

from services.worker.engine.errors import CheckpointError, ImageSizeError
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.model.picture_sizes import TrainedSizes, read_trained_sizes
from shared.tasks import Task

ROOT = Path(__file__).parents[3]
CROPS = json.loads((ROOT / "tests/golden/public/layout/crops.json").read_text())["generate_crop_size_list"]
GIVEN = [Task.SUBJECT, Task.CONTROL, Task.EDIT, Task.DENSE]


def sizes_of(folder: Path, **settings: object) -> TrainedSizes:
    (folder / "generation_config.json").write_text(json.dumps(settings))
    return read_trained_sizes(folder)


def as_text(sizes: tuple[PictureSize, ...] | None) -> list[str] | None:
    return None if sizes is None else [str(size) for size in sizes]


def test_a_published_checkpoint_has_the_tables_of_the_reference(tmp_path: Path) -> None:
    sizes = read_trained_sizes(tmp_path)
    tables = {side: [f"{width}x{height}" for width, height in CROPS[side]] for side in ("512", "768")}
    assert as_text(sizes.of(Task.TEXT_TO_IMAGE)) == tables["768"]
    assert all(as_text(sizes.of(task)) == tables["512"] for task in GIVEN)
    assert as_text(sizes.of(Task.IMAGE_PAIR)) == [f"{width}x{2 * height}" for width, height in CROPS["512"]]
    assert str(sizes.default(Task.TEXT_TO_IMAGE)) == "768x768"
    assert str(sizes.default(Task.EDIT)) == "512x512"


def test_an_image_pair_is_twice_as_high_as_a_panel() -> None:
    """Fixed bug: the default of models/tiny was 64x64, which has room for the scene but not for its map."""
    sizes = read_trained_sizes(ROOT / "models/tiny")
    assert str(sizes.default(Task.IMAGE_PAIR)) == "64x128"
    assert as_text(sizes.of(Task.IMAGE_PAIR)) == ["64x128"]


def test_the_bundled_model_was_trained_for_one_size() -> None:
    """Fixed bug: models/tiny accepted 128x96 and drew garbage."""
    sizes = read_trained_sizes(ROOT / "models/tiny")
    for task in (Task.TEXT_TO_IMAGE, *GIVEN):
        sizes.check(task, PictureSize(64, 64))
        with pytest.raises(ImageSizeError, match=r"128x96 in the task .*, but for 64x64; allow_untrained"):
            sizes.check(task, PictureSize(128, 96))


def test_a_folder_with_image_size_alone_has_this_size(tmp_path: Path) -> None:
    sizes = sizes_of(tmp_path, image_size="96x64")
    assert sizes.as_text() == {
        "text_to_image": ["96x64"],
        "image_pair": ["96x128"],
        **{str(task): ["96x64"] for task in GIVEN},
    }


def test_a_model_for_any_size_refuses_none(tmp_path: Path) -> None:
    sizes = sizes_of(tmp_path, image_size="64x64", image_sizes="any")
    sizes.check(Task.EDIT, PictureSize(32, 1024))
    assert sizes.as_text() is None
    assert str(sizes.default(Task.IMAGE_PAIR)) == "64x128"


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(512, 512, "512x512"), (1000, 1000, "512x512"), (4000, 1000, "1024x256"), (300, 400, "448x576")],
)
def test_a_given_picture_gets_the_size_that_crops_it_least(
    tmp_path: Path, width: int, height: int, expected: str
) -> None:
    assert str(read_trained_sizes(tmp_path).best_panel(width, height)) == expected


def test_a_given_picture_never_leads_to_a_size_that_is_not_listed() -> None:
    sizes = read_trained_sizes(ROOT / "models/tiny")
    assert {str(sizes.best_panel(*shape)) for shape in ((10, 900), (900, 10), (64, 64))} == {"64x64"}


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"image_sizes": ["64x64"]}, "image_size 768x768 is not among 64x64"),
        ({"image_size": "64x64", "image_sizes": []}, "list of sizes"),
        ({"image_size": "64x64", "image_sizes": ["65x64"]}, "image_sizes"),
        ({"image_size": "64x64", "image_sizes": "all"}, 'list of sizes such as "512x512", or "any"'),
        ({"image_size": 64}, "image_size 64"),
    ],
)
def test_a_malformed_entry_is_named_in_the_error(
    tmp_path: Path, settings: dict[str, object], fault: str
) -> None:
    with pytest.raises(CheckpointError, match=fault):
        sizes_of(tmp_path, **settings)


def test_an_aspect_ratio_gets_the_nearest_size(tmp_path: Path) -> None:
    public = read_trained_sizes(tmp_path)
    assert str(public.nearest(Task.TEXT_TO_IMAGE, "1:1")) == "768x768"
    assert str(public.nearest(Task.EDIT, "1:1")) == "512x512"
    assert str(public.nearest(Task.IMAGE_PAIR, "1:1")) == "512x1024"
    wide = public.nearest(Task.TEXT_TO_IMAGE, "2:1")
    assert 1.8 < wide.width / wide.height < 2.2
    free = sizes_of(tmp_path, image_size="96x96", image_sizes="any")
    assert str(free.nearest(Task.TEXT_TO_IMAGE, "1:1")) == "96x96"
