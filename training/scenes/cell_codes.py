"""The codes of the scene world: one code for every cell of a picture, computed from the scene.

The cells of an object alternate like the squares of a chessboard: one code gives the shape (kind, size, and
which cell of the box), the next the paint (the colour, or in a depth map the distance). So an object in a
new colour needs only codes that training has shown. With one code for each look of a cell, it would need
codes that never occurred. The decoder sees neighbouring cells and combines shape and paint again.
"""

from functools import cache
from itertools import product
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shared.tasks import MapKind
from training.scenes.maps import ground_greys, object_grey
from training.scenes.palette import BANDS, Rgb
from training.scenes.rendering import row_tones
from training.scenes.scene import DEFAULT_CELLS, Scene, SceneObject
from training.scenes.world import COLOURS, KINDS, SIZES, Background, Colour, Kind, Size

PHOTO: Final = "photo"
_FLAT_MAPS: Final = (MapKind.SEGMENTATION, MapKind.EDGES, MapKind.HED, MapKind.POSE)
"""Maps in which a kind of object looks the same at every position."""


class Ground(NamedTuple):
    """A cell without an object. medium: PHOTO, depth, or "map" for the black ground of all other maps."""

    medium: str
    tone: Rgb


class Paint(NamedTuple):
    """A cell of an object that gives the paint. tone: colour, grey of a depth map, or None in other maps."""

    medium: str
    tone: Colour | int | None


class Shape(NamedTuple):
    """A cell of an object that gives the shape. row, column: position of the cell in the object's box."""

    medium: str
    kind: Kind
    size: Size
    row: int
    column: int


Meaning = Ground | Paint | Shape

BLACK: Final = Ground("map", (0, 0, 0))
"""The ground of every map except depth."""


def says_shape(row: int, column: int) -> bool:
    """Whether this cell of a box gives the shape; every row and every column of a box has such a cell."""
    return (row + column) % 2 == 0


@cache
def alphabet() -> tuple[Meaning, ...]:
    """The meaning of each code, in the order of the codes."""
    media = (PHOTO, MapKind.DEPTH, *_FLAT_MAPS)
    tones = dict.fromkeys(tone for background in Background for tone in BANDS[background])
    grounds = [Ground(PHOTO, tone) for tone in tones]
    grounds += [Ground(MapKind.DEPTH, _grey(level)) for level in _depth_grounds()]
    paints = [Paint(PHOTO, colour) for colour in COLOURS]
    paints += [Paint(MapKind.DEPTH, level) for level in _depth_paints()]
    shapes = [
        Shape(medium, kind, size, row, column)
        for medium, kind, size in product(media, KINDS, SIZES)
        for row, column in product(range(size.cells), repeat=2)
        if says_shape(row, column)
    ]
    flat_paints = [Paint(medium, None) for medium in _FLAT_MAPS]
    return (*grounds, BLACK, *paints, *flat_paints, *shapes)


def label_cells(scene: Scene, shown: MapKind | None = None) -> NDArray[np.int64]:
    """The code of every cell of a scene's picture, or of its map `shown`: [cells, cells].

    A cell that several boxes cover belongs to the nearest object.
    """
    codes = _code_of_meaning()
    medium = _medium(shown)
    grid = np.empty((scene.cells, scene.cells), np.int64)
    for row, ground in enumerate(_grounds(scene, medium)):
        grid[row] = codes[ground]
    for item in scene.objects:
        paint = _paint(item, medium, scene.cells)
        for row, column in product(range(item.size.cells), repeat=2):
            meaning = Shape(medium, item.kind, item.size, row, column) if says_shape(row, column) else paint
            grid[item.row + row, item.column + column] = codes[meaning]
    return grid


@cache
def _code_of_meaning() -> dict[Meaning, int]:
    return {meaning: code for code, meaning in enumerate(alphabet())}


def _medium(shown: MapKind | None) -> str:
    return PHOTO if shown is None else shown


def _grounds(scene: Scene, medium: str) -> list[Ground]:
    """The meaning of empty cells in each row of cells."""
    if medium == PHOTO:
        return [Ground(medium, tone) for tone in row_tones(scene.background, scene.cells, scene.horizon)]
    if medium == MapKind.DEPTH:
        greys = ground_greys(scene.cells, scene.horizon)
        return [Ground(medium, _grey(_nearest(int(grey), _depth_grounds()))) for grey in greys]
    return [BLACK] * scene.cells


def _paint(item: SceneObject, medium: str, cells: int) -> Paint:
    if medium == PHOTO:
        return Paint(medium, item.colour)
    if medium == MapKind.DEPTH:
        return Paint(medium, _nearest(object_grey(item, cells), _depth_paints()))
    return Paint(medium, None)


@cache
def _depth_grounds() -> tuple[int, ...]:
    """Greys of the ground in pictures of default size; other sizes use the nearest of these greys."""
    empty = Scene(Background.PLAIN, ())
    return tuple(dict.fromkeys(ground_greys(empty.cells, empty.horizon).tolist()))


@cache
def _depth_paints() -> tuple[int, ...]:
    """Greys of objects in pictures of default size, from the farthest to the nearest object."""
    smallest = Size.SMALL.cells
    rows = range(DEFAULT_CELLS - smallest + 1)
    objects = (SceneObject(Kind.BALL, Colour.RED, Size.SMALL, row, 0) for row in rows)
    return tuple(object_grey(item, DEFAULT_CELLS) for item in objects)


def _nearest(grey: int, levels: tuple[int, ...]) -> int:
    return min(levels, key=lambda level: abs(level - grey))


def _grey(level: int) -> Rgb:
    return level, level, level
