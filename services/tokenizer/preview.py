"""Previews of a picture that is still being drawn."""

from PIL import Image

from shared.token_grid import TokenGrid

UNDRAWN = (128, 128, 128)
"""Grey for the part that is not drawn yet."""


def whole_canvas(drawn: Image.Image, grid: TokenGrid, rows: int) -> Image.Image:
    """Put the drawn upper part on a grey canvas as high as the finished picture of `rows` rows of codes."""
    canvas = Image.new("RGB", (drawn.width, drawn.height // grid.height * rows), UNDRAWN)
    canvas.paste(drawn, (0, 0))
    return canvas


def shrink(picture: Image.Image, longest_side: int) -> Image.Image:
    """Scale the picture down to at most `longest_side` pixels; a smaller one is returned unchanged."""
    scale = longest_side / max(picture.size)
    if scale >= 1:
        return picture
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, resample=Image.Resampling.BILINEAR, reducing_gap=2.0)
