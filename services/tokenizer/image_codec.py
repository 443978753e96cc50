"""Conversions between picture files and token grids: file to pixels to codes, and codes to pixels to PNG."""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from services.tokenizer.movqgan import MoVQGAN
from shared.pictures.crop_sizes import Size
from shared.pictures.fitting import fit_to
from shared.pictures.opening import open_image
from shared.pictures.whitening import whiten_transparency
from shared.pictures.work import Panel
from shared.token_grid import TokenGrid


def read_pixels(data: bytes, *, max_pixels: int, fit: int | Size) -> Tensor:
    """Decode a picture and fit it to the model: [1, 3, height, width] in [-1, 1].

    fit: side of a square, to choose the best size with about that area; or the exact (width, height).
    Raises ImageError.
    """
    return pixels_from_image(fit_to(whiten_transparency(open_image(data, max_pixels)), fit))


def pixels_from_image(image: Image.Image) -> Tensor:
    """An RGB picture as [1, 3, height, width] in [-1, 1]."""
    levels = torch.from_numpy(np.array(image, dtype=np.float32))
    return (levels / 255 * 2 - 1).permute(2, 0, 1).unsqueeze(0).contiguous()


def pixels_of_panel(panel: Panel) -> Tensor:
    """A decoder's panel as [1, 3, height, width] in [-1, 1]."""
    return pixels_from_image(Image.frombytes("RGB", (panel.width, panel.height), panel.pixels))


def encode_pixels(model: MoVQGAN, pixels: Tensor) -> list[TokenGrid]:
    """The token grid of each picture of a [batch, 3, height, width] batch. Raises PixelShapeError."""
    return [TokenGrid.from_rows(codes.tolist()) for codes in model.encode(pixels).cpu()]


def decode_grids(model: MoVQGAN, grids: list[TokenGrid]) -> list[Image.Image]:
    """The RGB picture of each grid; all have the same shape. Raises CodeRangeError."""
    pixels = model.decode(torch.tensor([grid.rows() for grid in grids]))
    return [image_from_pixels(picture) for picture in pixels]


def image_from_pixels(pixels: Tensor) -> Image.Image:
    """The RGB picture of [3, height, width] in [-1, 1]; values outside are clamped."""
    levels = ((pixels.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).contiguous().cpu().numpy())


def write_png(image: Image.Image) -> bytes:
    """PNG bytes of a picture; equal for equal pictures."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
