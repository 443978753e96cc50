"""Decode a file to an upright Pillow picture. Only this module calls Pillow's decoders."""

import io
import warnings
from dataclasses import dataclass

from PIL import ExifTags, Image
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from shared.pictures.deep_grey import to_eight_bits
from shared.pictures.errors import (
    ImageError,
    ImageTooComplexError,
    ImageTooLargeError,
    ImageUnreadableError,
    UnsupportedImageFormatError,
)
from shared.pictures.formats import FORMAT_NAMES, GIF, JPEG, PNG, WEBP, PictureFormat, find_format
from shared.pictures.scans import MOST_SCANS, count_scans

# Pillow's own limit is too low for pictures that training reads; `decode` checks the size itself.
Image.MAX_IMAGE_PIXELS = None

DECODERS: dict[PictureFormat, type[ImageFile]] = {
    PNG: PngImageFile,
    # Image.open would open a phone's JPEG with a second picture as the format MPO.
    JPEG: JpegImageFile,
    WEBP: WebPImageFile,
    GIF: GifImageFile,
}
BIT_DEPTH_PLACE = 24
"""Offset of the bit depth in a PNG file."""
TRANSPOSE = Image.Transpose
UPRIGHT = {
    2: TRANSPOSE.FLIP_LEFT_RIGHT,
    3: TRANSPOSE.ROTATE_180,
    4: TRANSPOSE.FLIP_TOP_BOTTOM,
    5: TRANSPOSE.TRANSPOSE,
    6: TRANSPOSE.ROTATE_270,
    7: TRANSPOSE.TRANSVERSE,
    8: TRANSPOSE.ROTATE_90,
}
"""The operation that turns a picture upright, by its EXIF orientation."""


@dataclass(frozen=True)
class PictureFacts:
    """Format and size of a decoded file; width and height in pixels after the EXIF rotation."""

    media_type: str
    width: int
    height: int


def open_image(data: bytes, max_pixels: int) -> Image.Image:
    """Decode a picture (the first frame of an animation) to eight bits per sample, upright.

    It keeps the file's mode; `whiten_transparency` converts to RGB. Raises ImageError.
    """
    return to_eight_bits(decode(data, max_pixels))


def inspect_picture(data: bytes, max_pixels: int) -> PictureFacts:
    """Decode the picture completely, and return its format and size. Raises ImageError."""
    image, known = decode(data, max_pixels), find_format(data)
    return PictureFacts(known.media_type if known else "", image.width, image.height)


def decode(data: bytes, max_pixels: int) -> Image.Image:
    """Decode a picture to its file's mode and bit depth, upright. Raises ImageError."""
    known = find_format(data)
    if known is None:
        raise UnsupportedImageFormatError(f"the file is not a {FORMAT_NAMES} picture")
    if known is JPEG and count_scans(data) > MOST_SCANS:
        raise ImageTooComplexError(f"the JPEG picture has more than {MOST_SCANS} scans")
    try:
        with warnings.catch_warnings():
            # Pillow warns of irregularities in files that it can read.
            warnings.simplefilter("ignore")
            image = DECODERS[known](io.BytesIO(data))
            check_size(image, max_pixels)
            image.load()
            if known is PNG:
                scale_transparent_level(image, data[BIT_DEPTH_PLACE])
            return upright(image)
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageTooLargeError("decoding the picture takes more memory than allowed") from error
    except Exception as error:
        # Pillow's decoders have no common error: damaged files raise IndexError, struct.error, SyntaxError,
        # zlib.error, OverflowError and others.
        raise ImageUnreadableError(f"the {known.name} picture is truncated or damaged") from error


def check_size(image: Image.Image, max_pixels: int) -> None:
    """Raise ImageTooLargeError if the size in the file's header is more than `max_pixels`."""
    if image.width * image.height > max_pixels:
        raise ImageTooLargeError(f"{image.width}x{image.height} is more than {max_pixels} pixels")


def upright(image: Image.Image) -> Image.Image:
    """The picture rotated or flipped by its EXIF orientation."""
    turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def scale_transparent_level(image: ImageFile, bits: int) -> None:
    """Scale a PNG's transparent colour to the bit depth of the decoded samples; Pillow does not do it.

    bits: bits per sample in the file. Pillow scales grey of two and four bits up to eight, and truncates
    16-bit colour.
    """
    level = image.info.get("transparency")
    if image.mode == "L" and isinstance(level, int) and bits in {2, 4}:
        image.info["transparency"] = level * 255 // (2**bits - 1)
    elif image.mode == "RGB" and isinstance(level, tuple) and bits == 16:
        image.info["transparency"] = tuple(sample >> 8 for sample in level)
