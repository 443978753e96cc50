"""Read a scene back from the codes of a picture or map, and draw codes without an image tokenizer.

A transformer can be judged this way before an image tokenizer is trained, and its own errors apart from those
of the tokenizer.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.tasks import MapKind
from training.world.codes import (
    MapGround,
    MapPaint,
    Paint,
    Shape,
    alphabet,
    label_cells,
    says_shape,
    settings,
)
from training.world.maps import render_map
from training.world.nouns import CELL, Colour, Pattern, Scenery
from training.world.rendering import Picture, render
from training.world.scene import CANVASES, Canvas, Look, Scene, Setting, Thing

CodeGrid = NDArray[np.int64]

_STRAY: Final = (255, 0, 255)
"""Colour of cells whose code belongs to nothing that was recognised."""
_RIGHT: Final = 0.75
"""Share of the cells of a thing, hidden ones left out, that need the right code."""


class Reading(NamedTuple):
    """scene: what the codes show; things in a map are red and plain. shown: the kind of the map, or None.

    strays: [rows, columns], cells whose code is not that of the scene.
    """

    scene: Scene
    shown: MapKind | None
    strays: NDArray[np.bool_]

    def picture(self) -> Picture:
        """The picture or map, with strays in a colour that nothing else has."""
        whole = render(self.scene) if self.shown is None else render_map(self.scene, self.shown)
        cells = np.repeat(np.repeat(self.strays, CELL, axis=0), CELL, axis=1)
        return np.where(cells[..., None], np.array(_STRAY, np.uint8), whole)


def read_codes(grid: CodeGrid) -> Reading:
    """The scene of a grid of codes [rows, columns]; things with too many wrong cells are left out."""
    canvas = Canvas(*grid.shape)
    shown = _medium(grid)
    setting = _setting(grid) if shown is None else Setting(Scenery.MEADOW)
    unclaimed = np.ones(grid.shape, np.bool_)
    things: list[Thing] = []
    for box in _boxes(grid):
        item = _thing(grid, unclaimed, box, shown)
        if item is not None:
            things.append(item)
            unclaimed[item.row : item.foot, item.column : item.end] = False
    scene = Scene.of(setting, things, canvas)
    return Reading(scene, shown, label_cells(scene, shown) != grid)


class SpelledCodec:
    """Decodes grids by reading their codes, and needs no weights."""

    @property
    def codebook_size(self) -> int:
        """Number of codes."""
        return len(alphabet())

    def encode(self, pictures: Sequence[Picture]) -> list[CodeGrid]:
        """Pictures are not encoded: examples of the world know their codes."""
        raise NotImplementedError(f"the codes of {len(pictures)} pictures are known from their scenes")

    def decode(self, codes: Sequence[CodeGrid]) -> list[Picture]:
        """The picture of each grid; a grid that is taller than any picture has two panels."""
        return [self._decode(grid) for grid in codes]

    def _decode(self, grid: CodeGrid) -> Picture:
        panels = [grid] if Canvas(*grid.shape) in CANVASES else np.split(grid, 2)
        return np.concatenate([read_codes(panel).picture() for panel in panels])


class _Box(NamedTuple):
    """A box that at least one code of a shape claims."""

    look: Look
    row: int
    column: int


def _medium(grid: CodeGrid) -> MapKind | None:
    """The kind of a map, by the vote of its paints and grounds; None for a picture."""
    votes: Counter[MapKind | None] = Counter()
    for code in grid.reshape(-1).tolist():
        match alphabet()[code]:
            case MapPaint(kind, _):
                votes[kind] += 100
            case MapGround(grey):
                votes[MapKind.DEPTH if grey else MapKind.SEGMENTATION] += 1
            case Shape():
                continue
            case _:
                votes[None] += 1
    return votes.most_common(1)[0][0] if votes else None


def _setting(grid: CodeGrid) -> Setting:
    """The setting with which most cells agree."""
    rows, columns = grid.shape
    agree = (_landscapes()[:, :rows, :columns] == grid).sum(axis=(1, 2))
    return settings()[int(agree.argmax())]


def _boxes(grid: CodeGrid) -> list[_Box]:
    """The boxes that shapes claim, from the nearest to the farthest, those with most votes first."""
    votes: Counter[_Box] = Counter()
    for (row, column), code in np.ndenumerate(grid):
        meaning = alphabet()[int(code)]
        if isinstance(meaning, Shape):
            look = Look(meaning.kind, Colour.RED, Pattern.PLAIN, meaning.size)
            box = _Box(look, row - meaning.row, column - meaning.column)
            end = box.row + meaning.size.cells, box.column + meaning.size.cells
            if min(box.row, box.column) >= 0 and end[0] <= grid.shape[0] and end[1] <= grid.shape[1]:
                votes[box] += 1
    return sorted(votes, key=lambda box: (-(box.row + box.look.size.cells), -votes[box]))


def _thing(grid: CodeGrid, unclaimed: NDArray[np.bool_], box: _Box, shown: MapKind | None) -> Thing | None:
    """The thing in a box, with the paint that most of its cells have; None if too few cells are right."""
    side = box.look.size.cells
    piece = grid[box.row : box.row + side, box.column : box.column + side]
    free = unclaimed[box.row : box.row + side, box.column : box.column + side]
    right, paints = 0, Counter[Paint]()
    for (row, column), code in np.ndenumerate(piece):
        meaning = alphabet()[int(code)]
        if not free[row, column]:
            continue
        if says_shape(row, column):
            right += meaning == Shape(box.look.kind, box.look.size, row, column)
        elif isinstance(meaning, Paint) and shown is None:
            paints[meaning] += 1
        elif isinstance(meaning, MapPaint) and meaning.map is shown:
            paints[Paint(box.look.colour, box.look.pattern)] += 1
    if not paints:
        return None
    (paint, count) = paints.most_common(1)[0]
    if right + count < _RIGHT * free.sum():
        return None
    return Thing(Look(box.look.kind, paint.colour, paint.pattern, box.look.size), box.row, box.column)


@cache
def _landscapes() -> CodeGrid:
    """The codes of every setting, [settings, 12, 12]."""
    return np.stack([label_cells(Scene(setting, ())) for setting in settings()])
