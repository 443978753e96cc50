"""Shapes, batches, row bands and gradients of MoVQGAN, and its errors for invalid input."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from services.tokenizer.movqgan import MoVQGAN, blocks, quantizer, row_bands
from services.tokenizer.movqgan.errors import CodeRangeError, PixelShapeError


def random_pixels(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def random_codes(*shape: int) -> torch.Tensor:
    return torch.randint(64, shape, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 40), (24, 16), (64, 32)])
def test_any_multiple_of_eight_goes_to_codes_and_back(small_model: MoVQGAN, height: int, width: int) -> None:
    codes = small_model.encode(random_pixels(2, 3, height, width))
    assert codes.shape == (2, height // 8, width // 8)
    assert codes.dtype == torch.int64
    assert small_model.decode(codes).shape == (2, 3, height, width)


def test_a_picture_s_result_is_the_same_bit_by_bit_in_any_batch(small_model: MoVQGAN) -> None:
    pictures = random_pixels(3, 3, 24, 40)
    codes = small_model.encode(pictures)
    assert torch.equal(codes, torch.cat([small_model.encode(picture[None]) for picture in pictures]))
    decoded = small_model.decode(codes)
    assert torch.equal(decoded, torch.cat([small_model.decode(grid[None]) for grid in codes]))


def test_the_pieces_give_each_picture_of_a_batch_the_same_codes_and_rounded_pixels(
    small_model: MoVQGAN,
) -> None:
    pictures = random_pixels(3, 3, 24, 40)
    quantized = small_model.quantize(small_model.encode_latents(pictures))
    assert torch.equal(quantized.codes, small_model.encode(pictures))
    decoded = small_model.decode_latents(quantized.vectors).detach()
    torch.testing.assert_close(decoded, small_model.decode(quantized.codes), atol=1e-5, rtol=0)


@pytest.mark.parametrize("elements", [1, 500, 4000])
def test_bands_of_rows_give_the_result_of_one_piece(
    small_model: MoVQGAN, monkeypatch: pytest.MonkeyPatch, elements: int
) -> None:
    pixels, codes = random_pixels(1, 3, 48, 32), random_codes(1, 6, 4)
    with torch.no_grad():
        latents, decoded = small_model.encode_latents(pixels), small_model.decode(codes)
        monkeypatch.setattr(row_bands, "BAND_ELEMENTS", elements)
        torch.testing.assert_close(small_model.encode_latents(pixels), latents, atol=1e-5, rtol=0)
        torch.testing.assert_close(small_model.decode(codes), decoded, atol=1e-5, rtol=0)


def test_attention_and_codebook_search_in_chunks_change_nothing(
    small_model: MoVQGAN, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = random_pixels(1, 3, 48, 32)
    codes = small_model.encode(pixels)
    decoded = small_model.decode(codes)
    monkeypatch.setattr(blocks, "QUERY_CHUNK", 5)
    monkeypatch.setattr(quantizer, "LATENT_CHUNK", 5)
    assert torch.equal(small_model.encode(pixels), codes)
    torch.testing.assert_close(small_model.decode(codes), decoded, atol=1e-5, rtol=0)


def test_the_nearest_code_is_found(small_model: MoVQGAN) -> None:
    latents = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(3))
    points = latents.permute(0, 2, 3, 1).reshape(-1, 4).double()
    distances = torch.cdist(points, small_model.quantize.embedding.weight.detach().double())
    expected = distances.argmin(dim=1).reshape(2, 3, 5)
    assert torch.equal(small_model.quantize.nearest_codes(latents), expected)


def test_gradients_reach_every_weight_through_the_pieces(small_model: MoVQGAN) -> None:
    pixels = random_pixels(2, 3, 16, 24)
    latents = small_model.encode_latents(pixels)
    quantized = small_model.quantize(latents)
    restored = small_model.decode_latents(quantized.straight_through)
    loss = F.mse_loss(restored, pixels) + F.mse_loss(quantized.vectors, latents.detach())
    loss.backward()
    without = [name for name, weight in small_model.named_parameters() if weight.grad is None]
    assert without == []
    gradients = [weight.grad for weight in small_model.parameters() if weight.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    first = small_model.encoder.conv_in.weight.grad
    assert first is not None
    assert first.abs().max() > 0


def test_results_of_encode_may_enter_a_training_step(small_model: MoVQGAN) -> None:
    codes = small_model.encode(random_pixels(1, 3, 16, 16))
    small_model.quantize.vectors_of(codes).sum().backward()
    assert small_model.quantize.embedding.weight.grad is not None


def test_attention_can_be_absent(small_model: MoVQGAN) -> None:
    config = dataclasses.replace(small_model.config, attn_resolutions=(), mid_attention=False)
    model = MoVQGAN(config)
    assert not [key for key in model.state_dict() if "attn" in key]
    assert model.decode(model.encode(random_pixels(1, 3, 8, 16))).shape == (1, 3, 8, 16)


def test_input_follows_the_model_s_dtype(small_model: MoVQGAN) -> None:
    model = small_model.double()
    codes = model.encode(random_pixels(1, 3, 8, 8))
    assert model.decode(codes.to(torch.int32)).dtype == torch.float64


@pytest.mark.parametrize("shape", [(1, 3, 12, 16), (1, 3, 16, 12), (1, 1, 16, 16), (3, 16, 16), (0, 3, 8, 8)])
def test_pixels_off_the_token_grid_are_refused(small_model: MoVQGAN, shape: tuple[int, ...]) -> None:
    for step in (small_model.encode, small_model.encode_latents):
        with pytest.raises(PixelShapeError) as caught:
            step(torch.zeros(shape))
        assert caught.value.code == "pixel_shape_invalid"


@pytest.mark.parametrize("token", [-1, 64])
def test_a_token_outside_the_codebook_is_named(small_model: MoVQGAN, token: int) -> None:
    codes = random_codes(1, 2, 2)
    codes[0, 1, 1] = token
    with pytest.raises(CodeRangeError, match=f"code {token} "):
        small_model.decode(codes)


@pytest.mark.parametrize("codes", [torch.zeros(1, 2, 2), torch.zeros(4, dtype=torch.int64)])
def test_a_grid_of_another_layout_is_refused(small_model: MoVQGAN, codes: torch.Tensor) -> None:
    with pytest.raises(CodeRangeError):
        small_model.decode(codes)
