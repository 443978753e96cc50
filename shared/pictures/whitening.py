"""Convert a picture of any mode to RGB on a white background."""

import numpy as np
from PIL import Image

BAND = 64
"""Rows that are blended at a time, because intermediate numbers take 40 times the memory of the pixels."""


def whiten_transparency(image: Image.Image) -> Image.Image:
    """Convert any Pillow mode to RGB; transparent parts are blended with white and truncated, not rounded.

    An RGB picture without a transparent colour is returned unchanged.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    rgba = image.convert("RGBA")
    if rgba.getchannel(3).getextrema() == (255, 255):
        return rgba.convert("RGB")
    blended = Image.new("RGB", rgba.size)
    for top in range(0, rgba.height, BAND):
        band = rgba.crop((0, top, rgba.width, min(top + BAND, rgba.height)))
        blended.paste(blend_with_white(np.asarray(band)), (0, top))
    return blended


def blend_with_white(rgba: np.ndarray) -> Image.Image:
    """Blend [height, width, 4] levels with white to an RGB picture."""
    alpha = rgba[:, :, 3:] / 255.0
    return Image.fromarray(((1 - alpha) * 255 + alpha * rgba[:, :, :3]).astype(np.uint8))
