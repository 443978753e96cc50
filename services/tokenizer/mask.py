"""From a drawn mask to the cells of the token grid that an edit may change."""

import numpy as np
from PIL import Image

from services.tokenizer.preprocessing import Size, center_crop, open_image, whiten_transparency

WHITE_LEVEL = 128
"""A pixel at least this bright counts as white; anti-aliased edges fall on either side."""


def read_mask(data: bytes, *, max_pixels: int, size: Size, cell: int) -> list[list[bool]]:
    """Rows of cells: True where any pixel of the cell is white, so that every marked pixel may change.

    size: (width, height) to which the mask is fitted, in the same way as the picture it belongs to.
    cell: side of the square of pixels that one code stands for. Raises ImageError.
    """
    mask = whiten_transparency(open_image(data, max_pixels))
    if mask.size != size:
        mask = center_crop(mask, size)
    return white_cells(mask.convert("L"), cell)


def white_cells(mask: Image.Image, cell: int) -> list[list[bool]]:
    """Rows of cells of a grey picture whose sides are multiples of `cell`."""
    levels = np.asarray(mask)
    rows, columns = levels.shape[0] // cell, levels.shape[1] // cell
    brightest = levels.reshape(rows, cell, columns, cell).max(axis=(1, 3))
    return (brightest >= WHITE_LEVEL).tolist()
