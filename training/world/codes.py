"""The codes of the larger world: one code for every cell of a picture, computed from the scene.

The cells of a thing alternate like the squares of a chessboard: one code gives the shape (kind, size, and
which cell of the box), the next the paint (colour and pattern; in a map its kind, and the distance in a depth
map). Shapes have the same codes in pictures and in maps, so a map of a picture keeps them and changes paint
and ground alone. An empty cell of a landscape has the code of its pixels: cells that look the same share it.
"""

from functools import cache
from itertools import product
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.tasks import MapKind
from training.world.landscape.easel import CELLS
from training.world.landscape.painting import paint_landscape
from training.world.maps import feet, ground_greys, shown_in
from training.world.nouns import (
    CELL,
    COLOURS,
    KINDS,
    PATTERNS,
    SCENERIES,
    SIZES,
    TIMES,
    WEATHERS,
    Colour,
    Kind,
    Pattern,
    Scenery,
    Size,
    Time,
    Weather,
)
from training.world.scene import Scene, Setting, Thing

PLAIN: Final = Setting(Scenery.PLAIN)
_FLAT_MAPS: Final = (MapKind.SEGMENTATION, MapKind.EDGES, MapKind.HED, MapKind.POSE)
"""Maps in which a kind of thing looks the same at every position."""


class Ground(NamedTuple):
    """An empty cell of a landscape: the first place at which cells with these pixels occur."""

    scenery: Scenery
    time: Time
    weather: Weather
    row: int
    column: int


class MapGround(NamedTuple):
    """An empty cell of a map. grey: 0 for the black ground of all maps except depth."""

    grey: int


class Paint(NamedTuple):
    """A cell that gives the paint of a thing in a picture."""

    colour: Colour
    pattern: Pattern


class MapPaint(NamedTuple):
    """A cell that gives the paint of a thing in a map. foot: its row of cells in a depth map, otherwise 0."""

    map: MapKind
    foot: int


class Shape(NamedTuple):
    """A cell that gives the shape of a thing. row, column: position of the cell in the thing's box."""

    kind: Kind
    size: Size
    row: int
    column: int


Meaning = Ground | MapGround | Paint | MapPaint | Shape


def says_shape(row: int, column: int) -> bool:
    """Whether this cell of a box gives the shape; every row and every column of a box has such a cell."""
    return (row + column) % 2 == 0


def settings() -> list[Setting]:
    """All settings; the plain one is the last."""
    return [Setting(*parts) for parts in product(SCENERIES, TIMES, WEATHERS)] + [PLAIN]


@cache
def alphabet() -> tuple[Meaning, ...]:
    """The meaning of each code, in the order of the codes."""
    return (*_codes_without_landscapes(), *_landscapes().meanings)


@cache
def _codes_without_landscapes() -> dict[Meaning, int]:
    """The code of each meaning that does not depend on the pixels of a landscape."""
    map_grounds = [MapGround(0), *map(MapGround, dict.fromkeys(ground_greys()))]
    paints = [Paint(colour, pattern) for colour, pattern in product(COLOURS, PATTERNS)]
    map_paints = [
        *(MapPaint(MapKind.DEPTH, foot) for foot in feet()),
        *(MapPaint(kind, 0) for kind in _FLAT_MAPS),
    ]
    shapes = [
        Shape(kind, size, row, column)
        for kind, size in product(KINDS, SIZES)
        for row, column in product(range(size.cells), repeat=2)
        if says_shape(row, column)
    ]
    return {meaning: code for code, meaning in enumerate((*map_grounds, *paints, *map_paints, *shapes))}


def label_cells(scene: Scene, shown: MapKind | None = None) -> NDArray[np.int64]:
    """The code of every cell of a scene's picture, or of its map `shown`: [rows, columns].

    A cell that several boxes cover belongs to the nearest thing.
    """
    grid = empty_cells(scene, shown).copy()
    for item in shown_in(scene, shown):
        grid[item.row : item.foot, item.column : item.end] = _thing_cells(
            item.kind, item.size, _paint(item, shown)
        )
    return grid


def empty_cells(scene: Scene, shown: MapKind | None = None) -> NDArray[np.int64]:
    """The codes of a picture or map without things; read-only."""
    whole = _landscapes().grids[scene.setting] if shown is None else _map_ground(shown)
    return whole[: scene.canvas.rows, : scene.canvas.columns]


class _Landscapes(NamedTuple):
    """grids: codes of every landscape in the main size."""

    meanings: tuple[Ground, ...]
    grids: dict[Setting, NDArray[np.int64]]


@cache
def _landscapes() -> _Landscapes:
    first = len(_codes_without_landscapes())
    code_of_pixels: dict[bytes, int] = {}
    meanings: list[Ground] = []
    grids: dict[Setting, NDArray[np.int64]] = {}
    for setting in settings():
        picture = paint_landscape(setting.scenery, setting.time, setting.weather)
        tiles = picture.reshape(CELLS, CELL, CELLS, CELL, 3).swapaxes(1, 2)
        grid = np.empty((CELLS, CELLS), np.int64)
        for row, column in product(range(CELLS), repeat=2):
            pixels = tiles[row, column].tobytes()
            if pixels not in code_of_pixels:
                code_of_pixels[pixels] = first + len(meanings)
                meanings.append(Ground(setting.scenery, setting.time, setting.weather, row, column))
            grid[row, column] = code_of_pixels[pixels]
        grids[setting] = grid
    return _Landscapes(tuple(meanings), grids)


@cache
def _map_ground(shown: MapKind) -> NDArray[np.int64]:
    greys = ground_greys() if shown is MapKind.DEPTH else (0,) * CELLS
    rows = [_codes_without_landscapes()[MapGround(grey)] for grey in greys]
    return np.repeat(np.array(rows, np.int64)[:, None], CELLS, axis=1)


@cache
def _thing_cells(kind: Kind, size: Size, paint: Paint | MapPaint) -> NDArray[np.int64]:
    """The codes of a thing's box."""
    codes = _codes_without_landscapes()
    cells = [
        codes[Shape(kind, size, row, column) if says_shape(row, column) else paint]
        for row, column in product(range(size.cells), repeat=2)
    ]
    return np.array(cells, np.int64).reshape(size.cells, size.cells)


def _paint(item: Thing, shown: MapKind | None) -> Paint | MapPaint:
    if shown is None:
        return Paint(item.colour, item.pattern)
    return MapPaint(shown, item.foot if shown is MapKind.DEPTH else 0)
