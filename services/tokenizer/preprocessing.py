"""From bytes that somebody sent to an RGB picture of a size the model knows.

ImageError
├── UnsupportedImageFormatError  not PNG, JPEG, WebP or GIF
├── ImageUnreadableError         the right format, but truncated or damaged
├── ImageTooLargeError           more pixels than allowed, refused before decoding
└── ImageTooNarrowError          so long and thin that enlarging it to the crop would fill the memory
"""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from PIL import Image, ImageOps

Size = tuple[int, int]
"""(width, height) in pixels."""

PATCH_SIZE = 32
"""Sides of a picture are multiples of this."""
LARGEST_ENLARGEMENT = 1 << 26
"""Pixels of a picture that has been scaled and not yet cropped; 192 MiB in RGB."""
SIGNATURES = {"PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff", "GIF": b"GIF8", "WEBP": b"RIFF"}


class ImageError(Exception):
    """Base of what can be wrong with a picture; `code` is stable, `hint` says what mends it."""

    code: ClassVar[str] = "image_invalid"
    retryable: ClassVar[bool] = False
    hint: ClassVar[str] = "Send another picture."


class UnsupportedImageFormatError(ImageError):
    """The bytes are no picture, or one of another format."""

    code = "image_format_unsupported"
    hint = "Send a PNG, JPEG, WebP or GIF picture."


class ImageUnreadableError(ImageError):
    """The picture is cut short or damaged."""

    code = "image_unreadable"
    hint = "Send the complete file again."


class ImageTooLargeError(ImageError):
    """The picture has more pixels than the service decodes."""

    code = "image_too_large"
    hint = "Scale the picture down before sending it."


class ImageTooNarrowError(ImageError):
    """The picture is too long and thin for any of the model's sizes."""

    code = "image_too_narrow"
    hint = "Crop the picture to an aspect ratio of at most 4:1."


def open_image(data: bytes, max_pixels: int) -> Image.Image:
    """Decode a picture (an animation's first frame) and turn it as its EXIF orientation says.

    The mode is the file's own; see `whiten_transparency`. Raises ImageError.
    """
    image_format = _sniff_format(data)
    try:
        image = Image.open(io.BytesIO(data), formats=[image_format])
        width, height = image.size
        if width * height > max_pixels:
            raise ImageTooLargeError(f"{width}x{height} is more than {max_pixels} pixels")
        image.load()
        return ImageOps.exif_transpose(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageTooLargeError(f"the picture has far more than {max_pixels} pixels") from error
    except (
        OSError,
        ValueError,
        TypeError,
        SyntaxError,
        EOFError,
        LookupError,
        struct.error,
        zlib.error,
    ) as error:
        # what Pillow raises for a damaged file depends on the format and on where the damage lies
        raise ImageUnreadableError(f"the {image_format} picture cannot be decoded: {error}") from error


def _sniff_format(data: bytes) -> str:
    for name, signature in SIGNATURES.items():
        if data.startswith(signature) and (name != "WEBP" or data[8:12] == b"WEBP"):
            return name
    raise UnsupportedImageFormatError("the bytes are not a PNG, JPEG, WebP or GIF picture")


def whiten_transparency(image: Image.Image) -> Image.Image:
    """RGB of any Pillow mode, transparent parts blended with white and truncated, not rounded.

    An RGB picture comes back as it is.
    """
    if image.mode == "RGB":
        return image
    rgba = np.asarray(image.convert("RGBA"))
    if rgba[:, :, 3].min() == 255:
        return image.convert("RGB")
    alpha = rgba[:, :, 3:] / 255.0
    blended = (1 - alpha) * 255 + alpha * rgba[:, :, :3]
    return Image.fromarray(blended.astype(np.uint8))


def generate_crop_sizes(target: int, *, patch_size: int = PATCH_SIZE) -> list[Size]:
    """Sizes with about `target` x `target` pixels, from the widest to the tallest, at most 4:1.

    target: side of the square size in pixels, for instance 512 or 768.
    """
    return generate_patch_sizes((target // patch_size) ** 2, patch_size, max_ratio=4.0)


def generate_patch_sizes(patches: int, patch_size: int, max_ratio: float) -> list[Size]:
    """For each width in patches the heights that only just fit `patches`, from the widest on.

    The walk goes along the hyperbola width * height = patches: taller while that fits, else narrower.
    max_ratio: longest side over shortest side.
    """
    sizes: list[Size] = []
    columns, rows = patches, 1
    while columns > 0:
        if max(columns, rows) / min(columns, rows) <= max_ratio:
            sizes.append((columns * patch_size, rows * patch_size))
        if columns * (rows + 1) <= patches:
            rows += 1
        else:
            columns -= 1
    return sizes


def choose_crop_size(size: Size, crop_sizes: Sequence[Size]) -> Size:
    """The crop size that keeps most of a picture of `size`; the larger (width, height) of equals."""
    width, height = size

    def kept(crop: Size) -> float:
        scales = crop[0] / width, crop[1] / height
        return min(scales) / max(scales)

    return max(crop_sizes, key=lambda crop: (kept(crop), crop))


def center_crop(image: Image.Image, crop: Size) -> Image.Image:
    """Scale the picture to cover `crop` and cut the middle out.

    Halved with a box filter while both sides have at least twice the crop's, then bicubic.
    Raises ImageTooNarrowError.
    """
    while image.width >= 2 * crop[0] and image.height >= 2 * crop[1]:
        image = image.resize((image.width // 2, image.height // 2), resample=Image.Resampling.BOX)
    scale = max(crop[0] / image.width, crop[1] / image.height)
    scaled = round(image.width * scale), round(image.height * scale)
    if scaled[0] * scaled[1] > LARGEST_ENLARGEMENT:
        raise ImageTooNarrowError(f"{image.width}x{image.height} would be scaled to {scaled[0]}x{scaled[1]}")
    image = image.resize(scaled, resample=Image.Resampling.BICUBIC)
    left, upper = (scaled[0] - crop[0]) // 2, (scaled[1] - crop[1]) // 2
    return image.crop((left, upper, left + crop[0], upper + crop[1]))


def var_center_crop(image: Image.Image, crop_sizes: Sequence[Size]) -> Image.Image:
    """Crop to the best of the sizes; a picture that has one of them already is left alone."""
    if image.size in crop_sizes:
        return image
    return center_crop(image, choose_crop_size(image.size, crop_sizes))
