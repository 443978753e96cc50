"""Scale and crop a picture to a size of the model, in the same steps as the reference code."""

from collections.abc import Sequence

from PIL import Image

from shared.pictures.crop_sizes import Size, choose_crop_size, generate_crop_sizes
from shared.pictures.errors import ImageTooNarrowError

LARGEST_ENLARGEMENT = 1 << 26
"""Limit of pixels of the scaled picture before it is cropped; 192 MiB in RGB."""


def center_crop(image: Image.Image, crop: Size) -> Image.Image:
    """Scale the picture to cover `crop`, and cut out the center.

    The picture is halved with a box filter while both sides are at least twice the crop's, then scaled with a
    bicubic filter. Raises ImageTooNarrowError.
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
    """Crop to the best of the sizes; a picture that already has one of them is returned unchanged."""
    if image.size in crop_sizes:
        return image
    return center_crop(image, choose_crop_size(image.size, crop_sizes))


def fit_to(image: Image.Image, fit: int | Size) -> Image.Image:
    """Crop the picture to the best size with about `fit` x `fit` pixels, or to exactly (width, height).

    Raises ImageTooNarrowError.
    """
    if isinstance(fit, int):
        return var_center_crop(image, generate_crop_sizes(fit))
    return image if image.size == fit else center_crop(image, fit)
