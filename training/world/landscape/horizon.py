"""What stands at the horizon of every scenery outdoors."""

from collections.abc import Callable
from typing import Final

import numpy as np

from training.world.landscape.easel import Easel
from training.world.landscape.light import HORIZON_SNOW, lit
from training.world.nouns import CELL, Scenery, Time, Weather
from training.world.palette import Rgb

Light = Callable[[Rgb], Rgb]
"""Turns a colour by clear daylight into the colour at the setting's time and weather."""

_LAMPLIGHT: Final[Rgb] = (255, 226, 140)


def paint_horizon(easel: Easel, scenery: Scenery, time: Time, weather: Weather) -> None:
    """Paint what stands at the horizon."""
    painter = _PAINTERS.get(scenery)
    if painter is not None:
        painter(easel, lambda colour: lit(colour, time, weather, HORIZON_SNOW))


def _meadow(easel: Easel, light: Light) -> None:
    easel.lay(easel.hills(22.5, (8, 16, 5.0), (27, 12, 3.6)), light((156, 206, 160)))
    easel.lay(easel.hills(24.0, (0, 13, 3.6), (18, 12, 4.8)), light((130, 198, 112)))


def _forest(easel: Easel, light: Light) -> None:
    trees = ((4.0, 9.6, 5.2, 0), (13.0, 8.2, 5.4, 1), (21.0, 10.4, 5.0, 0), (29.0, 8.6, 5.2, 1))
    for x, top, half, tone in trees:
        for step in range(3):
            head, foot = top + step * 4.0, top + 5.6 + step * 4.0
            spread = half * (0.5 + 0.25 * step)
            crown = easel.each(
                lambda at, x=x, h=head, f=foot, s=spread: (
                    (np.abs(at - x) <= (easel.y - h) * s / (f - h)) & (easel.y < f)
                )
            )
            easel.lay(crown, light((96, 152, 108) if tone else (112, 166, 116)))
    easel.lay(easel.hills(22.6, (8, 9, 1.4), (24, 9, 1.2)), light((86, 136, 88)))


def _beach(easel: Easel, light: Light) -> None:
    easel.lay(easel.y >= 16.0, light((58, 158, 208)))
    easel.lay(easel.y >= 19.0, light((92, 190, 220)))
    for x, y, half in ((7, 17.6, 4.0), (23, 20.4, 3.2), (29, 17.8, 2.2)):
        easel.lay(easel.each(lambda at, x=x, y=y, h=half: _dash(easel, at, x, y, h)), light((206, 238, 244)))
    easel.lay(easel.hills(23.2, (6, 9, 1.0), (23, 10, 1.2)), light((246, 252, 250)))


def _dash(easel: Easel, at: np.ndarray, x: float, y: float, half: float) -> np.ndarray:
    return ((at - x) / half) ** 2 + ((easel.y - y) / 0.55) ** 2 <= 1


def _zigzag(line: np.ndarray, period: float) -> np.ndarray:
    """A wave of straight lines between -1 and 1."""
    return 4 * np.abs(line / period % 1 - 0.5) - 1


def _desert(easel: Easel, light: Light) -> None:
    easel.lay(easel.hills(24.0, (5, 13, 7.0), (25, 11, 4.6)), light((226, 164, 104)))
    easel.lay(easel.hills(24.2, (15, 13, 4.4), (31, 10, 3.2)), light((240, 186, 120)))


def _mountains(easel: Easel, light: Light) -> None:
    for points, peak in (
        (((-1, 24.0), (4.0, 15.5), (9.0, 8.4), (13.0, 14.0), (19.0, 24.0)), 9.0),
        (((14.0, 24.0), (20.0, 14.5), (24.5, 10.2), (28.0, 15.0), (33.0, 24.0)), 24.5),
    ):
        rock = easel.ridge(*points)
        easel.lay(rock, light((134, 142, 176)))
        easel.lay(rock & (easel.within > peak + 1.2 * _zigzag(easel.y, 6.0)), light((108, 114, 152)))
        top = min(y for _, y in points)
        easel.lay(rock & (easel.y < top + 4.4 + _zigzag(easel.within, 4.0)), light((250, 252, 255)))
    easel.lay(easel.hills(24.0, (0, 12, 2.6), (17, 12, 3.2)), light((136, 176, 124)))


def _city(easel: Easel, light: Light) -> None:
    walls = ((168, 176, 200), (140, 150, 182), (186, 176, 186))
    for left, right, top, tone in (
        (0, 7, 12, 0),
        (7, 13, 9, 1),
        (13, 19, 14, 2),
        (19, 25, 8.6, 0),
        (25, 32, 12, 1),
    ):
        house = (easel.within >= left) & (easel.within < right) & (easel.y >= top)
        easel.lay(house, light(walls[tone]))
        easel.lay(house & (easel.within > right - 1), light((116, 124, 156)))
        for column in (left + 1.4, left + 3.9):
            for row in np.arange(top + 1.6, 22.0, 3.2):
                pane = (easel.within >= column) & (easel.within < column + 1.4)
                easel.lay(pane & (easel.y >= row) & (easel.y < row + 1.7), _LAMPLIGHT, 0.9)


def _ice(easel: Easel, light: Light) -> None:
    easel.lay(easel.y >= 20.4, light((104, 176, 220)))
    for points in (
        ((1, 21.8), (5, 12.6), (9, 15.4), (14, 21.8)),
        ((17, 22.2), (21, 16.0), (25, 13.4), (31, 22.2)),
    ):
        berg = easel.ridge(*points)
        easel.lay(berg, light((240, 248, 254)))
        easel.lay(berg & (easel.within > points[1][0] + 1.6), light((190, 218, 242)))
    easel.lay(easel.hills(23.0, (10, 8, 1.0), (27, 8, 1.0)), light((242, 250, 255)))


def _farm(easel: Easel, light: Light) -> None:
    easel.lay(easel.hills(21.6, (10, 15, 3.8), (28, 10, 2.6)), light((150, 198, 112)))
    barn = (np.abs(easel.within - 24) < 5) & (easel.y > 15) & (easel.y < 22.5)
    easel.lay(barn, light((214, 92, 78)))
    roof = (np.abs(easel.within - 24) < (easel.y - 10.2) * 1.2) & (easel.y < 15.6)
    easel.lay(roof, light((126, 92, 104)))
    easel.lay((np.abs(easel.within - 24) < 1.7) & (easel.y > 18) & (easel.y < 22.5), light((255, 240, 216)))
    rails = (np.abs(easel.y - 20.0) < 0.5) | (np.abs(easel.y - 22.4) < 0.5)
    posts = (np.abs(easel.x % CELL - 4) < 0.7) & (easel.y > 18.4)
    easel.lay(rails | posts, light((250, 240, 220)))


def _sea(easel: Easel, light: Light) -> None:
    easel.lay(easel.hills(22.4, (24, 7, 4.4)), light((138, 184, 140)))
    easel.lay(easel.y >= 22.2, light((120, 200, 228)))


_PAINTERS: Final[dict[Scenery, Callable[[Easel, Light], None]]] = {
    Scenery.MEADOW: _meadow,
    Scenery.FOREST: _forest,
    Scenery.BEACH: _beach,
    Scenery.DESERT: _desert,
    Scenery.MOUNTAINS: _mountains,
    Scenery.CITY: _city,
    Scenery.ICE: _ice,
    Scenery.FARM: _farm,
    Scenery.SEA: _sea,
}
