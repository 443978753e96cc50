"""A picture is encoded again in another format, and scaled down for a thumbnail."""

import asyncio
import io

import pytest
from PIL import Image

from shared.pictures.converting import THUMBNAIL, Conversion, convert
from shared.pictures.decoders import Decoders
from shared.pictures.errors import ImageTooLargeError
from shared.pictures.formats import find_format


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    return Image.effect_noise((width, height), 70).convert(mode)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("media_type", ["image/png", "image/webp", "image/jpeg"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_mode_becomes_a_file_of_the_format_in_its_size(media_type: str, mode: str) -> None:
    data = convert(noise(30, 20, mode), Conversion(media_type))
    known = find_format(data)
    assert known is not None
    assert (known.media_type, opened(data).size) == (media_type, (30, 20))


def test_a_png_keeps_every_pixel() -> None:
    picture = noise(30, 20)
    assert opened(convert(picture, Conversion("image/png"))).tobytes() == picture.tobytes()


@pytest.mark.parametrize("media_type", ["image/webp", "image/jpeg"])
def test_a_lower_quality_gives_a_smaller_file(media_type: str) -> None:
    low, high = (len(convert(noise(64, 64), Conversion(media_type, quality))) for quality in (20, 95))
    assert low < high


def test_transparency_stays_in_webp_and_becomes_white_in_jpeg() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    webp = opened(convert(clear, Conversion("image/webp"))).convert("RGBA")
    assert webp.getchannel("A").getextrema() == (0, 0)
    assert opened(convert(clear, Conversion("image/jpeg"))).convert("L").getextrema() == (255, 255)


@pytest.mark.parametrize(
    ("size", "thumbnail"),
    [
        ((1024, 512), (256, 128)),
        ((512, 1024), (128, 256)),
        ((256, 256), (256, 256)),
        ((40, 30), (40, 30)),
        ((3000, 1), (256, 1)),
    ],
)
def test_a_thumbnail_keeps_the_shape_and_never_grows(
    size: tuple[int, int], thumbnail: tuple[int, int]
) -> None:
    data = convert(noise(*size), THUMBNAIL)
    known = find_format(data)
    assert known is not None
    assert (known.media_type, opened(data).size) == ("image/webp", thumbnail)


def test_a_side_that_the_format_cannot_express_is_refused() -> None:
    with pytest.raises(ImageTooLargeError, match="16383"):
        convert(Image.new("L", (16_384, 1)), Conversion("image/webp"))


def test_a_decoder_process_converts_to_the_same_bytes() -> None:
    picture = noise(300, 200)
    source = convert(picture, Conversion("image/png"))

    async def run() -> bytes:
        decoders = Decoders()
        try:
            return await decoders.convert(source, 100_000, THUMBNAIL)
        finally:
            await decoders.close()

    assert asyncio.run(run()) == convert(picture, THUMBNAIL)
