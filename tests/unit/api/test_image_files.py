"""Format and size of pictures come from the file's content."""

import asyncio
import io
from uuid import UUID

import pytest
from PIL import Image

from services.api.images import files as image_files
from services.api.images.files import PictureFile, read_picture
from services.api.problems.codes import Problem, ProblemCode
from shared.pictures.decoders import Decoders


def encoded(image_format: str, **more: object) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((48, 32), 50).convert("RGB").save(buffer, image_format, **more)
    return buffer.getvalue()


PROJECT = UUID(int=1)


def read(data: bytes) -> PictureFile:
    """Check the file as the gateway does, in a separate decoder process."""

    async def run() -> PictureFile:
        decoders = Decoders()
        try:
            return await read_picture(decoders, PROJECT, data)
        finally:
            await decoders.close()

    return asyncio.run(run())


def refusal(data: bytes) -> str:
    with pytest.raises(Problem) as refused:
        read(data)
    return refused.value.code


@pytest.mark.parametrize(
    ("image_format", "media_type"),
    [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp"), ("GIF", "image/gif")],
)
def test_type_and_size_come_from_the_bytes(image_format: str, media_type: str) -> None:
    picture = read(encoded(image_format))
    assert (picture.media_type, picture.width, picture.height) == (media_type, 48, 32)


def test_a_photo_that_lies_on_its_side_has_the_size_that_viewers_show() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = read(encoded("JPEG", exif=exif))
    assert (picture.width, picture.height) == (32, 48)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.9])
def test_a_truncated_file_is_unreadable(image_format: str, part: float) -> None:
    data = encoded(image_format)
    assert refusal(data[: int(len(data) * part)]) == ProblemCode.IMAGE_UNREADABLE


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_unreadable(data: bytes) -> None:
    assert refusal(data) == ProblemCode.IMAGE_UNREADABLE


def test_a_format_that_is_not_offered_is_unreadable() -> None:
    assert refusal(encoded("BMP")) == ProblemCode.IMAGE_UNREADABLE


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = encoded("PNG")
    monkeypatch.setattr(image_files, "MOST_PIXELS", 48 * 32 - 1)
    assert refusal(data[:60]) == ProblemCode.IMAGE_TOO_LARGE
    assert refusal(data) == ProblemCode.IMAGE_TOO_LARGE


def test_a_decompression_bomb_is_too_large() -> None:
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    assert refusal(buffer.getvalue()) == ProblemCode.IMAGE_TOO_LARGE
