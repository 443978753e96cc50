"""Put the pixels of kept cells back from the canvas, so that a turn changes nothing that was to stay.

A code decodes to slightly other pixels beside other codes: the decoder looks at the cells around it. Cells
with the canvas' codes that are further than REACH_CELLS from any changed cell get the canvas' own pixels.
`docs/guides/jobs.md` has the measured reach (`benchmarks.decoder_reach`).
"""

import io
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.pictures.fitting import fit_to
from shared.pictures.opening import open_image
from shared.sizes import CELL_PIXELS
from shared.token_grid import TokenGrid

REACH_CELLS = 2
"""Cells beyond a change whose decoded pixels are kept, so that no edge shows where the canvas begins."""
MOST_PIXELS = 1 << 26


@dataclass(frozen=True)
class Backdrop:
    """The canvas of a job whose kept pixels are put back.

    file: its picture; None if the file has expired, then its codes are decoded. image_id: the picture whose
    file it is; None for a file that is no stored picture.
    """

    grid: TokenGrid
    file: bytes | None
    image_id: UUID | None


def put_back(png: bytes, grid: TokenGrid, canvas_file: bytes, canvas: TokenGrid) -> bytes:
    """The picture as PNG, with the canvas' pixels where its codes are kept.

    png, grid: the decoded result and its codes. canvas_file, canvas: those of the canvas, which lies at the
    top left. Raises ImageError if a file cannot be read.
    """
    size = canvas.width * CELL_PIXELS, canvas.height * CELL_PIXELS
    result = np.array(open_image(png, MOST_PIXELS).convert("RGB"))
    behind = np.asarray(fit_to(open_image(canvas_file, MOST_PIXELS), size).convert("RGB"))
    stays = np.kron(untouched_cells(grid, canvas), np.ones((CELL_PIXELS, CELL_PIXELS), np.bool_))
    area = result[: size[1], : size[0]]
    area[stays] = behind[stays]
    buffer = io.BytesIO()
    Image.fromarray(result).save(buffer, "PNG")
    return buffer.getvalue()


def untouched_cells(grid: TokenGrid, canvas: TokenGrid) -> NDArray[np.bool_]:
    """[rows, columns] of the canvas: cells with its codes, further than REACH_CELLS from any other cell."""
    result = np.array(grid.tokens).reshape(grid.height, grid.width)
    changed = np.ones(result.shape, np.bool_)
    rows, columns = canvas.height, canvas.width
    changed[:rows, :columns] = result[:rows, :columns] != np.array(canvas.tokens).reshape(rows, columns)
    reached = np.zeros_like(changed)
    padded = np.pad(changed, REACH_CELLS)
    for down in range(2 * REACH_CELLS + 1):
        for across in range(2 * REACH_CELLS + 1):
            reached |= padded[down : down + grid.height, across : across + grid.width]
    return ~reached[:rows, :columns]
