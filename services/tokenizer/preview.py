"""A quick look at a picture that is still being drawn."""

from PIL import Image

from shared.token_grid import TokenGrid

UNDRAWN = (128, 128, 128)
"""The grey of what is not there yet."""


def whole_canvas(drawn: Image.Image, grid: TokenGrid, rows: int) -> Image.Image:
    """The drawn upper part on a grey canvas as high as the finished picture of `rows` token rows."""
    canvas = Image.new("RGB", (drawn.width, drawn.height // grid.height * rows), UNDRAWN)
    canvas.paste(drawn, (0, 0))
    return canvas


def shrink(picture: Image.Image, longest_side: int) -> Image.Image:
    """The picture with at most so many pixels a side; a smaller one stays as it is."""
    scale = longest_side / max(picture.size)
    if scale >= 1:
        return picture
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, resample=Image.Resampling.BILINEAR, reducing_gap=2.0)
