"""Scale grey pictures with more than eight bits, such as depth maps, to eight bits.

Pillow's own conversion clips instead: every level above 255 of 65,535 becomes white.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIXTEEN_BITS = 65_535
THIRTY_ONE_BITS = 2**31 - 1
DEEP_MODES = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I", "F"})


def deep_levels(image: Image.Image) -> NDArray[np.generic]:
    """[height, width]: levels of a deep grey picture, unscaled."""
    match image.mode:
        case "I;16" | "I;16L":
            kind = np.dtype("<u2")
        case "I;16B":
            kind = np.dtype(">u2")
        case "I;16N":
            kind = np.dtype("=u2")
        case "I":
            kind = np.dtype("=i4")
        case _:
            kind = np.dtype("=f4")
    return np.frombuffer(image.tobytes(), kind).reshape(image.height, image.width)


def largest_level(image: Image.Image) -> float:
    """The level of white: 65,535 for 16-bit modes.

    Mode I (32 bits) counts as 16-bit unless a level is greater; then white is 2**31 - 1. Mode F ranges from 0
    to 1, or to 255 or 65,535 if a level is greater.
    """
    if image.mode not in {"I", "F"}:
        return SIXTEEN_BITS
    greatest = float(np.nanmax(deep_levels(image), initial=0))
    ranges = (SIXTEEN_BITS, THIRTY_ONE_BITS) if image.mode == "I" else (1, 255, SIXTEEN_BITS)
    return next((most for most in ranges if greatest <= most), greatest)


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Convert deep grey to mode L, or to LA if the file declares a level transparent.

    Other pictures are returned unchanged.
    """
    if image.mode not in DEEP_MODES:
        return image
    levels = deep_levels(image)
    scaled = np.nan_to_num(levels.astype(np.float64) * (255 / largest_level(image)))
    grey = Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return grey
    opaque = Image.fromarray(np.where(levels == transparent, 0, 255).astype(np.uint8))
    return Image.merge("LA", (grey, opaque))
