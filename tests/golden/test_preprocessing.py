"""Crops, whitening and the codec compared with results of the public reference implementation."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from services.tokenizer.image_codec import (
    decode_grids,
    encode_pixels,
    image_from_pixels,
    read_pixels,
    write_png,
)
from services.tokenizer.movqgan import load_movqgan
from shared.pictures.crop_sizes import generate_crop_sizes, generate_patch_sizes
from shared.pictures.fitting import center_crop, var_center_crop
from shared.pictures.whitening import whiten_transparency

PUBLIC = Path(__file__).parent / "public"
LAYOUT = PUBLIC / "layout"
CROPS = json.loads((LAYOUT / "crops.json").read_text())
WHITENED = np.load(LAYOUT / "whiten_modes.npz")


@pytest.mark.parametrize("target", [512, 768])
def test_crop_sizes_of_a_target_are_the_reference_s(target: int) -> None:
    expected = CROPS["generate_crop_size_list"][str(target)]
    assert [list(size) for size in generate_crop_sizes(target)] == expected


@pytest.mark.parametrize("arguments", CROPS["generate_crop_size_list_args_num_patches_patch_size_max_ratio"])
def test_crop_sizes_of_other_patches_and_ratios_are_the_reference_s(arguments: str) -> None:
    patches, _, rest = arguments.partition("x")
    patch_size, _, ratio = rest.partition("r")
    sizes = generate_patch_sizes(int(patches), int(patch_size), float(ratio))
    expected = CROPS["generate_crop_size_list_args_num_patches_patch_size_max_ratio"][arguments]
    assert [list(size) for size in sizes] == expected


@pytest.mark.parametrize("case", CROPS["table"], ids=lambda case: f"{case['fn']}-{case['input']}")
def test_a_picture_is_scaled_and_cropped_by_the_reference_s_steps(
    case: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[Any]] = []
    resize, crop = Image.Image.resize, Image.Image.crop

    def recorded_resize(image: Image.Image, size: tuple[int, int], resample: int) -> Image.Image:
        calls.append(["resize", list(image.size), list(size), int(resample)])
        return resize(image, size, Image.Resampling.NEAREST)

    def recorded_crop(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
        calls.append(["crop", list(image.size), list(box)])
        return crop(image, box)

    monkeypatch.setattr(Image.Image, "resize", recorded_resize)
    monkeypatch.setattr(Image.Image, "crop", recorded_crop)
    image = Image.new("L", tuple(case["input"]))
    if case["fn"] == "var_center_crop":
        result = var_center_crop(image, generate_crop_sizes(case["target"]))
    else:
        result = center_crop(image, tuple(case["crop_size"]))
    assert list(result.size) == case["output"]
    assert calls == case["calls"]


def test_cropped_pixels_are_identical_to_the_reference() -> None:
    cropped = center_crop(Image.open(LAYOUT / "crop_before.png"), (96, 64))
    assert cropped.tobytes() == Image.open(LAYOUT / "crop_after_96x64.png").tobytes()


def test_a_600x420_picture_gets_the_reference_s_size() -> None:
    facts = json.loads((LAYOUT / "process_image_layout.json").read_text())
    buffer = io.BytesIO()
    Image.new("RGB", tuple(facts["input_size"])).save(buffer, format="PNG")
    pixels = read_pixels(buffer.getvalue(), max_pixels=10**6, fit=facts["target_size"])
    assert [pixels.shape[3], pixels.shape[2]] == facts["crop_size"]


def test_whitened_pixels_are_identical_to_the_reference() -> None:
    whitened = whiten_transparency(Image.open(LAYOUT / "alpha_before.png"))
    assert whitened.mode == "RGB"
    assert whitened.tobytes() == Image.open(LAYOUT / "alpha_after.png").tobytes()


@pytest.mark.parametrize("mode", json.loads((LAYOUT / "whiten_modes.json").read_text()))
def test_every_mode_is_whitened_as_by_the_reference(mode: str) -> None:
    key = mode.replace(";", "_")
    height, width = WHITENED[f"in_{key}"].shape[:2]
    raw = WHITENED[f"in_{key}"]
    if mode == "1":
        image = Image.fromarray(raw.astype(np.uint8) * 255, "L").convert("1")
    else:
        image = Image.frombytes(mode, (width, height), raw.tobytes())
    if mode == "P":
        image.putpalette(WHITENED["in_P_palette"].tobytes())
    whitened = whiten_transparency(image)
    assert np.array_equal(np.asarray(whitened), WHITENED[f"out_{key}"])
    assert (whitened is image) == json.loads((LAYOUT / "whiten_modes.json").read_text())[mode]["same_object"]


def test_a_file_becomes_the_reference_s_codes_and_they_its_picture() -> None:
    folder = PUBLIC / "movqgan"
    golden = load_file(folder / "golden_movqgan.safetensors")
    model = load_movqgan(folder / "movqgan_tiny.ckpt")

    pixels = read_pixels((folder / "input.png").read_bytes(), max_pixels=10**6, fit=(96, 64))
    torch.testing.assert_close(pixels, golden["input"], atol=1e-6, rtol=0)
    (grid,) = encode_pixels(model, pixels)
    assert list(grid.tokens) == golden["indices"].tolist()
    (picture,) = decode_grids(model, [grid])
    decoded = Image.open(io.BytesIO(write_png(picture)))
    expected = np.asarray(Image.open(folder / "decoded.png"), dtype=np.int16)
    assert np.abs(np.asarray(decoded, dtype=np.int16) - expected).max() <= 1
    assert image_from_pixels(golden["decoded"][0]).tobytes() == Image.open(folder / "decoded.png").tobytes()
