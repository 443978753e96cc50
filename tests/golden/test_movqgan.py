"""MoVQGAN compared with tensors recorded from the public reference implementation."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from services.tokenizer.movqgan import (
    MoVQGAN,
    MoVQGANConfig,
    load_movqgan,
    load_movqgan_with_report,
    row_bands,
)

PUBLIC = Path(__file__).parent / "public"
FOLDER = PUBLIC / "movqgan"


@pytest.fixture(scope="module")
def golden() -> dict[str, torch.Tensor]:
    return load_file(FOLDER / "golden_movqgan.safetensors")


@pytest.fixture(scope="module")
def model() -> MoVQGAN:
    return load_movqgan(FOLDER / "movqgan_tiny.ckpt")


@pytest.fixture(params=["one band", "bands of two rows"])
def band_elements(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test once with one band and once with the smallest bands."""
    if request.param == "bands of two rows":
        monkeypatch.setattr(row_bands, "BAND_ELEMENTS", 1)


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)


@pytest.mark.usefixtures("band_elements")
@torch.no_grad()
def test_latents_before_quantisation_equal_the_reference(
    model: MoVQGAN, golden: dict[str, torch.Tensor]
) -> None:
    assert_close(model.encoder(golden["input"]), golden["encoder_out"])
    assert_close(model.encode_latents(golden["input"]), golden["prequant"])


def test_latents_with_gradients_equal_the_reference(model: MoVQGAN, golden: dict[str, torch.Tensor]) -> None:
    assert_close(model.encode_latents(golden["input"]).detach(), golden["prequant"])


@pytest.mark.usefixtures("band_elements")
def test_codes_are_identical_to_the_reference(model: MoVQGAN, golden: dict[str, torch.Tensor]) -> None:
    codes = model.encode(golden["input"])
    assert codes.dtype == torch.int64
    assert torch.equal(codes, golden["indices"].reshape(1, 8, 12))


def test_straight_through_latents_equal_the_reference(
    model: MoVQGAN, golden: dict[str, torch.Tensor]
) -> None:
    assert_close(model.quantize(golden["prequant"]).straight_through.detach(), golden["quant"])


@pytest.mark.usefixtures("band_elements")
@pytest.mark.parametrize(
    ("codes", "pixels", "png"),
    [
        ("indices", "decoded", "decoded.png"),
        ("random_indices_4x9", "random_decoded_4x9", "decoded_random_4x9.png"),
    ],
)
def test_decoded_pixels_and_picture_equal_the_reference(
    model: MoVQGAN, golden: dict[str, torch.Tensor], codes: str, pixels: str, png: str
) -> None:
    expected = golden[pixels]
    decoded = model.decode(golden[codes].reshape(1, expected.shape[2] // 8, expected.shape[3] // 8))
    assert_close(decoded, expected)
    levels = ((decoded[0] + 1) * 127.5).round().clamp(0, 255).permute(1, 2, 0).numpy()
    assert np.abs(levels - np.asarray(Image.open(FOLDER / png), dtype=np.float32)).max() <= 1


def test_the_270m_preset_has_the_weights_of_the_public_checkpoint() -> None:
    expected = json.loads((PUBLIC / "maps" / "movqgan_270M_shapes.json").read_text())
    config = MoVQGANConfig.preset("270M")
    assert config == MoVQGANConfig.from_dict(expected)
    with torch.device("meta"):
        state = MoVQGAN(config).state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == expected["shapes"]


def test_training_left_overs_of_the_checkpoint_are_reported() -> None:
    _, report = load_movqgan_with_report(FOLDER / "movqgan_tiny.ckpt")
    assert report.config_source == "file"
    assert report.left_overs == ("loss.logvar",)
