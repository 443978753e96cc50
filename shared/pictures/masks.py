"""Turn a mask picture into the cells of the token grid that an edit may change.

Only this module reads masks, so the gateway checks and shows the same cells that the worker uses.
`docs/guides/jobs.md` explains the rules to users.
"""

import base64
import io
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.pictures.crop_sizes import Size
from shared.pictures.deep_grey import DEEP_MODES, deep_levels, largest_level, to_eight_bits
from shared.pictures.mask_modes import MaskMode, MaskReading
from shared.pictures.opening import decode

Pixels = NDArray[np.bool_]
"""[height, width] of booleans."""
WHITE_LEVEL = 128
"""Brightness from which a pixel counts as white; it divides anti-aliased edges in the middle."""


@dataclass(frozen=True)
class CellMask:
    """A mask in cells: for each cell, row by row, whether the edit may change it."""

    reading: MaskReading
    rows: int
    columns: int
    free: tuple[bool, ...]
    drawn_width: int
    """Width of the mask's file in pixels."""
    drawn_height: int
    """Height of the mask's file in pixels."""

    @property
    def cells_free(self) -> int:
        """Number of cells that may change."""
        return sum(self.free)

    @property
    def cells_total(self) -> int:
        """Number of cells of the picture."""
        return self.rows * self.columns

    def packed(self) -> str:
        """The cells as bits, in base64."""
        return base64.b64encode(np.packbits(np.array(self.free, np.bool_)).tobytes()).decode()


def read_mask(data: bytes, *, max_pixels: int, size: Size, cell: int, mode: MaskMode) -> CellMask:
    """Decode a mask and find the cells that contain at least one marked pixel. Raises ImageError.

    size: (width, height) to which the mask is fitted, in the same way as its picture.
    cell: side of a cell in pixels.
    """
    drawn = decode(data, max_pixels)
    reading, marked = marked_pixels(drawn, mode)
    free = touched_cells(marked, size, cell)
    rows, columns = free.shape
    return CellMask(reading, rows, columns, tuple(free.ravel().tolist()), drawn.width, drawn.height)


def marked_pixels(mask: Image.Image, mode: MaskMode) -> tuple[MaskReading, Pixels]:
    """The pixels that may change, and the reading that was used."""
    opaque = opaque_pixels(mask)
    white = white_pixels(mask, opaque)
    reading = choose_reading(opaque, white) if mode is MaskMode.AUTO else MaskReading(mode.value)
    match reading:
        case MaskReading.WHITE_EDITS:
            return reading, white & opaque
        case MaskReading.TRANSPARENT_EDITS:
            return reading, ~opaque
        case MaskReading.BLACK_EDITS:
            return reading, ~white & opaque


def choose_reading(opaque: Pixels, white: Pixels) -> MaskReading:
    """The reading for mode auto, by the mask's content.

    A mask with transparent pixels whose opaque pixels are not all white is read by its transparency, as
    OpenAI's masks are. Any other mask is read by its white pixels.
    """
    if opaque.all() or (opaque.any() and white[opaque].all()):
        return MaskReading.WHITE_EDITS
    return MaskReading.TRANSPARENT_EDITS


def opaque_pixels(mask: Image.Image) -> Pixels:
    """Pixels with at least half of the mask's highest opacity, since a brush may be partly transparent."""
    if not mask.has_transparency_data:
        return np.ones((mask.height, mask.width), np.bool_)
    alpha = np.asarray(to_eight_bits(mask).convert("RGBA"))[:, :, 3]
    return alpha >= max(1, (int(alpha.max()) + 1) // 2)


def white_pixels(mask: Image.Image, opaque: Pixels) -> Pixels:
    """Pixels that are at least half as bright as white.

    In a mask without transparency that has only two levels, the brighter level counts as white: some programs
    write masks of 0 and 1, or of 0 and 300 in sixteen bits.
    """
    levels, white_level = grey_levels(mask)
    darkest, brightest = levels.min(), levels.max()
    has_two_levels = bool(((levels == darkest) | (levels == brightest)).all()) and darkest < brightest
    if opaque.all() and has_two_levels:
        return levels == brightest
    return np.greater_equal(levels, white_level)


def grey_levels(mask: Image.Image) -> tuple[NDArray[np.generic], float]:
    """[height, width]: brightness in the file's bit depth; and the level from which it counts as white."""
    if mask.mode in DEEP_MODES:
        return deep_levels(mask), largest_level(mask) * WHITE_LEVEL / 255
    opaque = mask.convert("RGBA") if mask.has_transparency_data else mask
    return np.asarray(opaque.convert("RGB").convert("L")), WHITE_LEVEL


def touched_cells(marked: Pixels, size: Size, cell: int) -> Pixels:
    """[rows, columns]: cells that contain at least one marked pixel, with the mask fitted to `size`.

    The mask is scaled and cropped as `center_crop` does with the picture, but without averaging, so that no
    marked pixel is lost.
    """
    height, width = marked.shape
    scale = max(size[0] / width, size[1] / height)
    columns = pixels_of_cells(width, round(width * scale), size[0], cell)
    rows = pixels_of_cells(height, round(height * scale), size[1], cell)
    by_column = np.stack([marked[:, first:end].any(axis=1) for first, end in columns], axis=1)
    return np.stack([by_column[first:end].any(axis=0) for first, end in rows])


def pixels_of_cells(pixels: int, scaled: int, kept: int, cell: int) -> list[tuple[int, int]]:
    """For each cell along one side, the range [first, end) of the mask's pixels that overlap it.

    pixels: length of the mask's side. scaled: its length after scaling. kept: its length after cropping.
    """
    edges = (2 * np.arange(pixels + 1) * scaled + pixels) // (2 * pixels) - (scaled - kept) // 2
    begin = edges[:-1]
    end = np.maximum(edges[1:], begin + 1)
    starts = np.arange(0, kept, cell)
    first = np.searchsorted(end, starts, side="right")
    last = np.searchsorted(begin, starts + cell, side="left")
    return list(zip(first.tolist(), last.tolist(), strict=True))


@dataclass(frozen=True)
class MaskRecord:
    """The stored form of a job's mask: its reading, its size in pixels and its cells."""

    reading: MaskReading
    width: int
    height: int
    cell: int
    cells_free: int
    cells_total: int
    cells: str
    """The result of `CellMask.packed`."""

    @classmethod
    def of(cls, mask: CellMask, cell: int) -> Self:
        """The record of a mask; `cell` is the side of its cells in pixels."""
        return cls(
            reading=mask.reading,
            width=mask.columns * cell,
            height=mask.rows * cell,
            cell=cell,
            cells_free=mask.cells_free,
            cells_total=mask.cells_total,
            cells=mask.packed(),
        )

    def png(self) -> bytes:
        """A PNG of the mask in whole cells: white cells may change."""
        columns, rows = self.width // self.cell, self.height // self.cell
        bits = np.unpackbits(np.frombuffer(base64.b64decode(self.cells), np.uint8), count=rows * columns)
        small = Image.fromarray(bits.reshape(rows, columns) * np.uint8(255))
        buffer = io.BytesIO()
        small.resize((self.width, self.height), Image.Resampling.NEAREST).convert("1").save(buffer, "PNG")
        return buffer.getvalue()
