"""The ground of every scenery: its colours, and small textures in some of its cells."""

from typing import Final, NamedTuple

from training.world.landscape.easel import CELLS, HORIZON, Easel, Mark, variant
from training.world.landscape.light import SKIES, indoors, lit
from training.world.nouns import CELL, Scenery, Time, Weather
from training.world.palette import Rgb, mix

_TURN: Final = 7
"""The row of cells in which the far ground becomes the near one."""
_KINDS: Final = 7
"""Kinds of cells: the last three have a texture, the others are empty."""


class Texture(NamedTuple):
    """Marks of one kind of cell, and their colour by clear daylight."""

    colour: Rgb
    marks: tuple[Mark, ...]


class Ground(NamedTuple):
    """far, near: colour of the ground at the horizon and before the viewer. textures: of single cells."""

    far: Rgb
    near: Rgb
    textures: tuple[Texture, Texture, Texture]


_TUFT: Final = ((2.2, 4.4, 0.6, 2.0), (4.0, 3.8, 0.6, 2.6), (5.7, 4.6, 0.6, 1.8))
_RIPPLE: Final = ((2.6, 2.6, 2.4, 0.6), (5.6, 5.6, 2.2, 0.6))
_BLOSSOM: Final = ((3.0, 3.4, 1.0, 1.0), (5.4, 4.8, 1.0, 1.0), (4.9, 2.4, 0.8, 0.8))
_STONE: Final = ((4.0, 4.6, 2.4, 1.5),)
_DOTS: Final = ((1.8, 2.6, 0.7, 0.6), (5.0, 5.4, 0.8, 0.6), (6.4, 2.0, 0.6, 0.5))
_WAVE: Final = ((2.4, 3.4, 1.8, 0.7), (5.6, 2.8, 1.8, 0.7), (4.0, 6.0, 1.2, 0.5))
_CRACK: Final = ((2.0, 3.0, 1.8, 0.5), (4.2, 4.2, 1.4, 0.5), (6.0, 5.2, 1.2, 0.5))
_PLANK: Final = ((4.0, 7.6, 4.4, 0.45),)

GROUNDS: Final[dict[Scenery, Ground]] = {
    Scenery.MEADOW: Ground(
        (156, 216, 116),
        (124, 198, 96),
        (
            Texture((92, 168, 80), _TUFT),
            Texture((255, 244, 150), _BLOSSOM),
            Texture((255, 186, 206), _BLOSSOM),
        ),
    ),
    Scenery.FOREST: Ground(
        (124, 172, 98),
        (98, 148, 84),
        (Texture((74, 122, 70), _TUFT), Texture((150, 126, 92), _STONE), Texture((74, 122, 70), _TUFT)),
    ),
    Scenery.BEACH: Ground(
        (252, 232, 182),
        (246, 216, 156),
        (
            Texture((220, 184, 124), _DOTS),
            Texture((246, 166, 140), _BLOSSOM),
            Texture((228, 196, 138), _RIPPLE),
        ),
    ),
    Scenery.DESERT: Ground(
        (248, 204, 132),
        (236, 178, 102),
        (Texture((210, 148, 80), _RIPPLE), Texture((176, 128, 92), _STONE), Texture((214, 154, 86), _DOTS)),
    ),
    Scenery.MOUNTAINS: Ground(
        (164, 200, 136),
        (138, 180, 118),
        (
            Texture((158, 164, 174), _STONE),
            Texture((108, 152, 98), _TUFT),
            Texture((206, 190, 240), _BLOSSOM),
        ),
    ),
    Scenery.CITY: Ground(
        (186, 186, 194),
        (168, 168, 180),
        (Texture((142, 144, 158), _PLANK), Texture((142, 144, 158), _DOTS), Texture((142, 144, 158), _PLANK)),
    ),
    Scenery.ICE: Ground(
        (236, 246, 253),
        (214, 234, 250),
        (
            Texture((160, 204, 236), _CRACK),
            Texture((252, 254, 255), _STONE),
            Texture((160, 204, 236), _RIPPLE),
        ),
    ),
    Scenery.FARM: Ground(
        (240, 212, 116),
        (226, 188, 92),
        (Texture((190, 146, 66), _TUFT), Texture((190, 146, 66), _TUFT), Texture((206, 162, 74), _RIPPLE)),
    ),
    Scenery.SEA: Ground(
        (94, 184, 222),
        (62, 152, 208),
        (Texture((156, 218, 238), _WAVE), Texture((156, 218, 238), _RIPPLE), Texture((210, 240, 248), _WAVE)),
    ),
    Scenery.ROOM: Ground(
        (214, 162, 112),
        (200, 146, 98),
        (Texture((172, 120, 78), _PLANK), Texture((172, 120, 78), _RIPPLE), Texture((172, 120, 78), _PLANK)),
    ),
}


def paint_ground(easel: Easel, scenery: Scenery, time: Time, weather: Weather) -> None:
    """Paint the ground, from haze at the horizon to full colour before the viewer; snow hides textures."""
    ground = GROUNDS[scenery]

    def light(colour: Rgb) -> Rgb:
        return indoors(colour, time) if scenery is Scenery.ROOM else lit(colour, time, weather)

    far, near = light(ground.far), light(ground.near)
    first = HORIZON * CELL
    haze = far if scenery is Scenery.ROOM else mix(far, SKIES[time, Weather.CLEAR].low, 0.25)
    easel.fill(first, first + CELL, haze, far)
    easel.fill(first + CELL, _TURN * CELL, far)
    easel.fill(_TURN * CELL, (_TURN + 1) * CELL, far, near)
    easel.fill((_TURN + 1) * CELL, CELLS * CELL, near)
    if weather is Weather.SNOW and scenery is not Scenery.ROOM:
        return
    for row in (*range(HORIZON + 1, _TURN), *range(_TURN + 1, CELLS)):
        for column in range(CELLS):
            texture = textured(row, column)
            if texture is not None:
                colour, marks = ground.textures[texture]
                easel.texture(row, column, marks, light(colour), 0.6 if row < _TURN else 0.9)


def textured(row: int, column: int) -> int | None:
    """The texture of a cell of the ground, or None for an empty one; far away there are only two."""
    if row in {HORIZON, _TURN}:
        return None
    kind = variant(row, column, _KINDS) - (_KINDS - 3)
    return None if kind < 0 or (kind == 2 and row < _TURN) else kind
