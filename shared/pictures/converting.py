"""Encode a picture again, in another format or smaller; the stored file stays as it is."""

import io
from dataclasses import dataclass
from typing import Any

from PIL import Image

from shared.pictures.errors import ImageTooLargeError
from shared.pictures.formats import JPEG, PNG, WEBP
from shared.pictures.whitening import whiten_transparency

LARGEST_SIDES = {WEBP.media_type: 16_383, JPEG.media_type: 65_535}
"""Longest side in pixels that each format can express."""
DEFAULT_QUALITY = 90
WEBP_METHOD = 4
"""Effort of the WebP encoder, from 0 to 6; its default."""


@dataclass(frozen=True)
class Conversion:
    """A format, its quality from 1 to 100 (PNG has none), and the longest side in pixels; None keeps it."""

    media_type: str
    quality: int = DEFAULT_QUALITY
    side: int | None = None


THUMBNAIL = Conversion(WEBP.media_type, quality=80, side=256)


def convert(image: Image.Image, conversion: Conversion) -> bytes:
    """The picture as a file. A picture smaller than `side` keeps its size. Raises ImageTooLargeError.

    JPEG has no transparency: transparent parts are blended with white.
    """
    largest = LARGEST_SIDES.get(conversion.media_type)
    shown = shrink(with_plain_mode(image, conversion.media_type), conversion.side)
    if largest is not None and max(shown.size) > largest:
        raise ImageTooLargeError(f"a {conversion.media_type} picture has at most {largest} pixels a side")
    buffer = io.BytesIO()
    shown.save(buffer, **encoder(conversion))
    return buffer.getvalue()


def with_plain_mode(image: Image.Image, media_type: str) -> Image.Image:
    """RGB, or RGBA for a picture with transparency in a format that has it."""
    if media_type == JPEG.media_type:
        return whiten_transparency(image)
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def shrink(image: Image.Image, side: int | None) -> Image.Image:
    """The picture scaled down to the longest side."""
    if side is None or max(image.size) <= side:
        return image
    scale = side / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def encoder(conversion: Conversion) -> dict[str, Any]:
    """Pillow's arguments for the format."""
    match conversion.media_type:
        case WEBP.media_type:
            return {"format": "WEBP", "quality": conversion.quality, "method": WEBP_METHOD}
        case JPEG.media_type:
            return {"format": "JPEG", "quality": conversion.quality, "optimize": True}
        case PNG.media_type:
            return {"format": "PNG"}
        case other:
            raise ValueError(f"no encoder for {other}")
