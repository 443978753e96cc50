"""What a file that somebody sent really is: read from its bytes, decoded once so that none is broken."""

import io
import struct
import zlib
from dataclasses import dataclass

from PIL import ExifTags, Image

from services.api.problems import Problem, ProblemCode

MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
MOST_PIXELS = 40_000_000
"""A decoded picture of this size takes 160 MB."""
TURNED = {5, 6, 7, 8}
"""EXIF orientations that exchange width and height."""


@dataclass(frozen=True)
class PictureFile:
    """A whole, readable picture."""

    data: bytes
    media_type: str
    width: int
    height: int
    """Pixels as a viewer shows them, turned as the file says."""


def read_picture(data: bytes) -> PictureFile:
    """Check the picture. Raises Problem: image_unreadable or image_too_large, both before memory is spent."""
    try:
        with Image.open(io.BytesIO(data), formats=tuple(MEDIA_TYPES)) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise too_large()
            media_type = MEDIA_TYPES[image.format or ""]
            image.load()
            if image.getexif().get(ExifTags.Base.Orientation) in TURNED:
                width, height = height, width
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise too_large() from error
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error) as error:
        # What Pillow's three decoders raise on damaged files; it has no common base for them.
        raise Problem(
            ProblemCode.IMAGE_UNREADABLE,
            "The bytes are no complete PNG, JPEG or WebP picture.",
            param="image",
        ) from error
    return PictureFile(data, media_type, width, height)


def too_large() -> Problem:
    """The refusal of a picture that would fill the memory."""
    return Problem(
        ProblemCode.IMAGE_TOO_LARGE, f"The picture has more than {MOST_PIXELS:,} pixels.", param="image"
    )
