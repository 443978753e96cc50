"""Which cells of a result are kept, and with which codes; pure functions.

The controls of a request are applied in this order: the canvas lies at the top left; `extend` frees the new
cells, `mask` and `keep_rows` keep cells of the canvas, `variation_strength` keeps the most certain of the
others; the rectangles of `region_from` are put on top.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.worker.job.failures import failure
from shared.job_errors import JobErrorCode
from shared.schemas.jobs import JobRequest
from shared.schemas.token_controls import Region
from shared.sizes import CELL_PIXELS
from shared.token_grid import TokenGrid

Codes = tuple[int | None, ...]
"""For each cell of the result, row by row, the code to keep; None for a cell that the model draws."""


@dataclass(frozen=True)
class Canvas:
    """The picture whose cells are kept.

    certainty: see `services.worker.job.certainty`, unpacked; None if it is unknown.
    """

    grid: TokenGrid
    certainty: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Layers:
    """The pictures and the mask of a request.

    freed: whether the mask frees each cell; None without a mask. regions: each with the grid of its picture.
    """

    canvas: Canvas | None = None
    freed: Sequence[bool] | None = None
    regions: Sequence[tuple[Region, TokenGrid]] = ()


def kept_cells(asked: JobRequest, rows: int, columns: int, layers: Layers) -> Codes:
    """The cells to keep in a result of `rows` x `columns` cells.

    Raises JobFailureError if a grid does not fit, the canvas' certainty is needed but unknown, or no cell is
    left to draw.
    """
    kept: list[int | None] = [None] * (rows * columns)
    if layers.canvas is not None:
        lay(layers.canvas.grid, kept, columns, rows)
        if asked.extend is None:
            for cell in free_on_canvas(asked, layers.canvas, columns, layers.freed):
                kept[cell] = None
    for region, grid in layers.regions:
        if (grid.height, grid.width) != (rows, columns):
            raise refused(
                f"region_from: {region.image} has {sides(grid)} cells, the result {columns}x{rows}."
            )
        for cell in cells_of(region, columns):
            kept[cell] = grid.tokens[cell]
    if None not in kept:
        raise refused("every cell of the picture is kept: nothing is left to draw.")
    return tuple(kept)


def lay(grid: TokenGrid, kept: list[int | None], columns: int, rows: int) -> None:
    """Write a grid into the top left corner of the result. Raises JobFailureError if it does not fit."""
    if grid.height > rows or grid.width > columns:
        raise refused(f"the canvas has {sides(grid)} cells, the result only {columns}x{rows}.")
    for row, codes in enumerate(grid.rows()):
        kept[row * columns : row * columns + grid.width] = codes


def free_on_canvas(
    asked: JobRequest, canvas: Canvas, columns: int, freed: Sequence[bool] | None
) -> Sequence[int]:
    """Cells of the canvas that are drawn anew. Raises JobFailureError if a needed certainty is unknown."""
    first = (asked.keep_rows or 0) * columns
    free = [cell for cell in range(first, len(canvas.grid.tokens)) if freed is None or freed[cell]]
    if asked.variation_strength is None or not free:
        return free
    certainty = canvas.certainty
    if certainty is None:
        raise refused("variation_strength: it is unknown which cells of the canvas are uncertain.")
    count = max(1, round(asked.variation_strength * len(free)))
    return sorted(free, key=lambda cell: (certainty[cell], cell))[:count]


def cells_of(region: Region, columns: int) -> Sequence[int]:
    """Indices of the cells that a rectangle touches."""
    top, bottom = region.y // CELL_PIXELS, -(-(region.y + region.height) // CELL_PIXELS)
    left, right = region.x // CELL_PIXELS, -(-(region.x + region.width) // CELL_PIXELS)
    return [row * columns + column for row in range(top, bottom) for column in range(left, right)]


def sides(grid: TokenGrid) -> str:
    """Columns and rows of a grid, for messages."""
    return f"{grid.width}x{grid.height}"


def refused(words: str) -> Exception:
    """The failure of a request whose controls cannot be followed."""
    return failure(JobErrorCode.INVALID_REQUEST, words)
