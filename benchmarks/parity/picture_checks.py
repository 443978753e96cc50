"""Compare how pictures are fitted: table of crops, cropped pixels, transparency blended onto white."""

import re
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from PIL import Image

from benchmarks.parity.comparison import Comparison, identical, same_levels
from benchmarks.parity.fixture_set import FixtureSet
from shared.pictures.crop_sizes import generate_crop_sizes, generate_patch_sizes
from shared.pictures.fitting import center_crop, var_center_crop
from shared.pictures.whitening import whiten_transparency

CROPS = "layout/crops.json"
WHITENED = "layout/whiten_modes.npz"
WHITENED_MODES = "layout/whiten_modes.json"
CROP_BEFORE = "layout/crop_before.png"
ALPHA_BEFORE, ALPHA_AFTER = "layout/alpha_before.png", "layout/alpha_after.png"
SIZES, OTHER_SIZES = (
    "generate_crop_size_list",
    "generate_crop_size_list_args_num_patches_patch_size_max_ratio",
)


class TracedPicture:
    """Stands in for a Pillow image: it has a size and records the calls of resize and crop."""

    def __init__(self, size: tuple[int, int], calls: list[list[Any]]) -> None:
        self.size = size
        self.width, self.height = size
        self.calls = calls

    def resize(self, size: tuple[int, int], resample: int) -> "TracedPicture":
        self.calls.append(["resize", list(self.size), list(size), int(resample)])
        return TracedPicture(size, self.calls)

    def crop(self, box: tuple[int, int, int, int]) -> "TracedPicture":
        self.calls.append(["crop", list(self.size), list(box)])
        return TracedPicture((box[2] - box[0], box[3] - box[1]), self.calls)


def check_crop_table(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare the lists of crop sizes, and the resize and crop steps of every recorded case."""
    crops = fixtures.json(CROPS)
    for target, expected in crops.get(SIZES, {}).items():
        ours = [list(size) for size in generate_crop_sizes(int(target))]
        yield identical(CROPS, f"crop sizes for {target}", ours, expected)
    for arguments, expected in crops.get(OTHER_SIZES, {}).items():
        patches, patch_size, ratio = re.split("[xr]", arguments)
        sizes = generate_patch_sizes(int(patches), int(patch_size), float(ratio))
        yield identical(CROPS, f"crop sizes for {arguments}", [list(size) for size in sizes], expected)
    cases = crops["table"]
    expected = [[case["output"], case["calls"]] for case in cases]
    yield identical(CROPS, f"{len(cases)} crops, each step", [trace(case) for case in cases], expected)


def trace(case: dict[str, Any]) -> list[Any]:
    """The size of a case's result, and the recorded resize and crop calls."""
    calls: list[list[Any]] = []
    picture = cast("Image.Image", TracedPicture(tuple(case["input"]), calls))
    if case["fn"] == "var_center_crop":
        result = var_center_crop(picture, generate_crop_sizes(case["target"]))
    else:
        result = center_crop(picture, tuple(case["crop_size"]))
    return [list(result.size), calls]


def check_cropped_pixels(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare crop_before.png, cropped to WxH, with each crop_after_WxH.png."""
    for file in sorted(fixtures.path("layout").glob("crop_after_*x*.png")):
        width, height = file.stem.removeprefix("crop_after_").split("x")
        with Image.open(fixtures.path(CROP_BEFORE)) as before, Image.open(file) as after:
            ours = center_crop(before, (int(width), int(height)))
            yield same_levels(f"layout/{file.name}", "pixels", np.asarray(ours), np.asarray(after), 0)


def check_whitened_picture(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare a picture with transparency, blended onto white."""
    with Image.open(fixtures.path(ALPHA_BEFORE)) as before, Image.open(fixtures.path(ALPHA_AFTER)) as after:
        yield same_levels(
            ALPHA_AFTER, "pixels", np.asarray(whiten_transparency(before)), np.asarray(after), 0
        )


def check_whitened_modes(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare pictures of every Pillow mode, blended onto white."""
    with np.load(fixtures.path(WHITENED)) as arrays:
        for mode in fixtures.json(WHITENED_MODES):
            key = mode.replace(";", "_")
            image = _picture(mode, arrays[f"in_{key}"])
            if mode == "P":
                image.putpalette(arrays["in_P_palette"].tobytes())
            ours = np.asarray(whiten_transparency(image))
            yield same_levels(WHITENED, f"mode {mode}", ours, arrays[f"out_{key}"], 0)


def _picture(mode: str, raw: np.ndarray) -> Image.Image:
    if mode == "1":
        return Image.fromarray(raw.astype(np.uint8) * 255, "L").convert("1")
    return Image.frombytes(mode, (raw.shape[1], raw.shape[0]), raw.tobytes())
