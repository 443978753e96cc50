"""Pictures from strangers: what is decoded, what is refused, and why."""

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image

from shared.pictures.crop_sizes import choose_crop_size, generate_crop_sizes
from shared.pictures.errors import (
    DecodersBusyError,
    ImageError,
    ImageTooLargeError,
    ImageTooNarrowError,
    ImageUnreadableError,
    UnsupportedImageFormatError,
)
from shared.pictures.fitting import center_crop, var_center_crop
from shared.pictures.opening import open_image
from shared.pictures.whitening import whiten_transparency

LIMIT = 10_000
RED, BLUE = (255, 0, 0), (0, 0, 255)


def half_red_half_blue(width: int = 40, height: int = 20) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return image


def encoded(image: Image.Image, image_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=image_format, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds no pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = b"IDAT"
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + body
        + struct.pack(">I", zlib.crc32(body))
        + struct.pack(">I", 0)
        + end
        + struct.pack(">I", zlib.crc32(end))
    )


def colour_at(image: Image.Image, place: tuple[int, int]) -> tuple[int, ...]:
    colour = image.getpixel(place)
    assert isinstance(colour, tuple)
    return colour


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "GIF"])
def test_the_four_formats_are_known_by_their_bytes(image_format: str) -> None:
    image = open_image(encoded(half_red_half_blue(), image_format), LIMIT)
    assert image.size == (40, 20)
    red, _, blue = colour_at(whiten_transparency(image), (5, 10))
    assert red > 200
    assert blue < 60


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_counts(image_format: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE)]
    data = encoded(frames[0], image_format, save_all=True, append_images=frames[1:])
    red, _, blue = colour_at(whiten_transparency(open_image(data, LIMIT)), (8, 8))
    assert red > 200
    assert blue < 60


@pytest.mark.parametrize(
    ("orientation", "size", "red_at"),
    [(1, (40, 20), (2, 10)), (3, (40, 20), (38, 10)), (6, (20, 40), (10, 2)), (8, (20, 40), (10, 38))],
)
def test_the_exif_orientation_is_applied(
    orientation: int, size: tuple[int, int], red_at: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = open_image(encoded(half_red_half_blue(), "JPEG", exif=exif, quality=95), LIMIT)
    assert image.size == size
    assert colour_at(image, red_at)[0] > 200


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"RIFF\x04\x00\x00\x00WAVE",
        encoded(half_red_half_blue(), "BMP"),
        encoded(half_red_half_blue(), "TIFF"),
    ],
)
def test_anything_else_is_not_even_handed_to_a_decoder(data: bytes) -> None:
    with pytest.raises(UnsupportedImageFormatError) as caught:
        open_image(data, LIMIT)
    assert caught.value.code == "image_format_unsupported"


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_truncated_picture_ends_in_one_clear_error(image_format: str, share: float) -> None:
    noise = Image.effect_noise((64, 64), 80).convert("RGB")
    data = encoded(noise, image_format)
    with pytest.raises(ImageUnreadableError) as caught:
        open_image(data[: int(len(data) * share)], LIMIT)
    assert caught.value.code == "image_unreadable"


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_signature_alone_ends_in_the_same_error(image_format: str) -> None:
    with pytest.raises(ImageUnreadableError):
        open_image(encoded(half_red_half_blue(), image_format)[:12], LIMIT)


@pytest.mark.parametrize(("width", "height"), [(101, 100), (12_000, 12_000), (65_535, 65_535)])
def test_a_bomb_is_refused_by_its_header_before_it_is_decoded(width: int, height: int) -> None:
    with pytest.raises(ImageTooLargeError) as caught:
        open_image(png_header(width, height), LIMIT)
    assert caught.value.code == "image_too_large"


def test_a_picture_of_exactly_the_limit_is_decoded() -> None:
    assert open_image(encoded(Image.new("RGB", (100, 100)), "PNG"), LIMIT).size == (100, 100)


def test_a_text_chunk_bomb_is_refused() -> None:
    bomb = b"zTXtcomment\x00\x00" + zlib.compress(bytes(1 << 22))
    png = encoded(half_red_half_blue(), "PNG")
    chunk = struct.pack(">I", len(bomb) - 4) + bomb + struct.pack(">I", zlib.crc32(bomb))
    with pytest.raises(ImageUnreadableError):
        open_image(png[:33] + chunk + png[33:], LIMIT)


def test_transparent_colours_of_a_palette_become_white() -> None:
    image = half_red_half_blue().convert("P")
    image.info["transparency"] = image.getpixel((0, 0))
    whitened = whiten_transparency(image)
    assert whitened.getpixel((0, 0)) == (255, 255, 255)
    assert whitened.getpixel((39, 0)) == BLUE


def test_blended_colours_are_truncated() -> None:
    assert whiten_transparency(Image.new("RGBA", (1, 1), (10, 20, 30, 100))).getpixel((0, 0)) == (
        158,
        162,
        166,
    )


def test_of_two_sizes_that_keep_as_much_the_larger_is_chosen() -> None:
    assert choose_crop_size((100, 100), [(64, 96), (96, 64)]) == (96, 64)
    assert choose_crop_size((100, 100), [(32, 32), (64, 64)]) == (64, 64)


def test_a_listed_size_is_left_alone() -> None:
    image = half_red_half_blue(512, 512)
    assert var_center_crop(image, generate_crop_sizes(512)) is image


def test_a_thread_of_pixels_is_refused_instead_of_filling_the_memory() -> None:
    with pytest.raises(ImageTooNarrowError) as caught:
        center_crop(Image.new("RGB", (10_000, 1)), (1024, 256))
    assert caught.value.code == "image_too_narrow"


def test_every_error_has_a_code_of_its_own_and_a_hint() -> None:
    kinds = [ImageError, *ImageError.__subclasses__()]
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert all(kind.hint for kind in kinds)
    assert [kind for kind in kinds if kind.retryable] == [DecodersBusyError]
