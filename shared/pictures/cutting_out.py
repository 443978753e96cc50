"""Make the background of a picture transparent, by a segmentation map of the picture.

The map has one flat colour for each kind of thing; the colour that covers most of its border is that of the
background.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.pictures.converting import Conversion, encoder
from shared.pictures.opening import open_image
from shared.pictures.whitening import whiten_transparency

LEVELS = 32
"""Colours of the border are counted in steps of this many levels of 255, because a drawn map is not flat."""
NEAR = 64
"""Largest distance of a channel from the background's colour: half of the way to the nearest other colour."""


def cut_out(
    picture: bytes, segmentation: bytes, max_pixels: int, conversion: Conversion
) -> tuple[bytes, float]:
    """The picture with transparency, in a format that has it, and the share of pixels that are left.

    segmentation: a file of any size, which is scaled to the picture. Raises ImageError.
    """
    shown = whiten_transparency(open_image(picture, max_pixels))
    drawn_map = whiten_transparency(open_image(segmentation, max_pixels))
    kept = foreground(np.asarray(drawn_map.resize(shown.size, Image.Resampling.NEAREST)))
    shown.putalpha(Image.fromarray(kept.astype(np.uint8) * np.uint8(255)))
    buffer = io.BytesIO()
    shown.save(buffer, **encoder(conversion))
    return buffer.getvalue(), float(kept.mean())


def foreground(segmentation: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """[height, width]: pixels that are not of the background. segmentation: [height, width, 3]."""
    border = np.concatenate(
        (segmentation[0], segmentation[-1], segmentation[:, 0], segmentation[:, -1])
    ).astype(np.int16)
    colours, counts = np.unique(border // LEVELS, axis=0, return_counts=True)
    commonest = (border // LEVELS == colours[counts.argmax()]).all(axis=1)
    background = np.median(border[commonest], axis=0)
    return (np.abs(segmentation - background) > NEAR).any(axis=2)
