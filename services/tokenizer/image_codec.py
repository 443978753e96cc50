"""Between files and token grids: bytes to pixels to codes, and codes to pixels to PNG bytes."""

import io
from collections.abc import Mapping

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from services.tokenizer.movqgan import MoVQGAN
from services.tokenizer.preprocessing import (
    Size,
    center_crop,
    generate_crop_sizes,
    open_image,
    var_center_crop,
    whiten_transparency,
)
from shared.token_grid import TokenGrid


def read_pixels(data: bytes, *, max_pixels: int, fit: int | Size) -> Tensor:
    """Decode a picture and fit it to the model: [1, 3, height, width] in [-1, 1].

    fit: a target side, for the best size of about that square; or the exact (width, height).
    Raises ImageError.
    """
    image = whiten_transparency(open_image(data, max_pixels))
    if isinstance(fit, int):
        image = var_center_crop(image, generate_crop_sizes(fit))
    elif image.size != fit:
        image = center_crop(image, fit)
    return pixels_from_image(image)


def pixels_from_image(image: Image.Image) -> Tensor:
    """An RGB picture as [1, 3, height, width] in [-1, 1]."""
    levels = torch.from_numpy(np.array(image, dtype=np.float32))
    return (levels / 255 * 2 - 1).permute(2, 0, 1).unsqueeze(0).contiguous()


def encode_pixels(model: MoVQGAN, pixels: Tensor) -> list[TokenGrid]:
    """The token grid of each picture of a [batch, 3, height, width] batch. Raises PixelShapeError."""
    return [TokenGrid.from_rows(codes.tolist()) for codes in model.encode(pixels).cpu()]


def decode_grids(model: MoVQGAN, grids: list[TokenGrid]) -> list[Image.Image]:
    """The RGB picture of each grid; all have the same shape. Raises CodeRangeError."""
    pixels = model.decode(torch.tensor([grid.rows() for grid in grids]))
    return [image_from_pixels(picture) for picture in pixels]


def image_from_pixels(pixels: Tensor) -> Image.Image:
    """The RGB picture of [3, height, width] in [-1, 1]; what lies outside is clamped."""
    levels = ((pixels.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).contiguous().cpu().numpy())


def write_png(image: Image.Image, text: Mapping[str, str] | None = None) -> bytes:
    """PNG bytes of a picture, the same for the same arguments.

    text: keyword to value; written as text chunks, in Unicode (iTXt) where Latin-1 does not suffice.
    """
    chunks = PngInfo()
    for keyword, value in (text or {}).items():
        chunks.add_text(keyword, value)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", pnginfo=chunks)
    return buffer.getvalue()
