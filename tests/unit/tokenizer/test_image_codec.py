"""Picture files become token grids and pictures again, with a small MoVQGAN."""

import io

import pytest
import torch
from PIL import Image

from services.tokenizer.image_codec import (
    decode_grids,
    encode_pixels,
    image_from_pixels,
    pixels_from_image,
    read_pixels,
    write_png,
)
from services.tokenizer.movqgan import MoVQGAN
from services.tokenizer.movqgan.errors import CodeRangeError
from shared.token_grid import TokenGrid


def test_every_level_survives_the_way_to_pixels_and_back() -> None:
    levels = Image.frombytes("L", (16, 16), bytes(range(256))).convert("RGB")
    pixels = pixels_from_image(levels)
    assert pixels.shape == (1, 3, 16, 16)
    assert (pixels.min(), pixels.max()) == (-1, 1)
    assert image_from_pixels(pixels[0]).tobytes() == levels.tobytes()


def test_pixels_outside_the_range_are_clamped() -> None:
    picture = image_from_pixels(torch.tensor([-7.0, 0.0, 7.0]).view(3, 1, 1))
    assert picture.getpixel((0, 0)) == (0, 128, 255)


@pytest.mark.parametrize(("fit", "size"), [((48, 32), (48, 32)), (64, (96, 32)), ((100, 40), (100, 40))])
def test_a_picture_is_fitted_to_a_size_or_to_a_target(
    fit: int | tuple[int, int], size: tuple[int, int]
) -> None:
    data = write_png(Image.new("RGB", (100, 40), "white"))
    pixels = read_pixels(data, max_pixels=4000, fit=fit)
    assert (pixels.shape[3], pixels.shape[2]) == size


def test_a_batch_of_pictures_becomes_grids_and_pictures_again(small_model: MoVQGAN) -> None:
    pixels = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(4)) * 2 - 1
    grids = encode_pixels(small_model, pixels)
    assert [(grid.height, grid.width) for grid in grids] == [(2, 3), (2, 3)]
    pictures = decode_grids(small_model, grids)
    assert [picture.size for picture in pictures] == [(24, 16), (24, 16)]
    assert pictures[1].tobytes() == decode_grids(small_model, grids[1:])[0].tobytes()


def test_a_grid_of_another_tokenizer_is_refused(small_model: MoVQGAN) -> None:
    with pytest.raises(CodeRangeError, match="code 64 "):
        decode_grids(small_model, [TokenGrid(1, 2, (63, 64))])


def test_a_png_holds_the_picture_and_the_same_picture_gives_the_same_bytes() -> None:
    picture = Image.new("RGB", (8, 8), "teal")
    data = write_png(picture)
    with Image.open(io.BytesIO(data)) as read_back:
        assert read_back.tobytes() == picture.tobytes()
    assert write_png(picture) == data
