"""Sky: sun, moon, stars and clouds in the three rows of cells above the horizon."""

from typing import Final

from training.world.landscape.easel import CELLS, HORIZON, Easel
from training.world.landscape.light import SKIES
from training.world.nouns import CELL, Time, Weather
from training.world.palette import Rgb, mix

_HIGH: Final = (48.0, 9.0)
"""Place of the sun by day and of the moon, in pixels; narrow pictures show it, too."""
_LOW: Final = (48.0, 16.5)
"""Place of the sun at sunset."""


def paint_sky(easel: Easel, time: Time, weather: Weather) -> None:
    """Paint the sky; its lowest row of cells looks the same with and without clouds."""
    sky = SKIES[time, weather]
    middle = mix(sky.top, sky.low, 0.6)
    easel.fill(0, 2 * CELL, sky.top, middle)
    easel.fill(2 * CELL, HORIZON * CELL, middle, sky.low)
    match weather, time:
        case Weather.CLEAR, Time.DAY:
            _sun(easel, _HIGH, (255, 222, 112), (255, 244, 190))
            _cloud(easel, 12, 12, sky.cloud, sky.shade)
            _cloud(easel, 84, 10, sky.cloud, sky.shade)
        case Weather.CLEAR, Time.SUNSET:
            _sun(easel, _LOW, (255, 222, 140), (255, 226, 160))
            _cloud(easel, 12, 11, sky.cloud, sky.shade)
            _cloud(easel, 84, 9, sky.cloud, sky.shade)
        case Weather.CLEAR, Time.NIGHT:
            _stars(easel)
            _moon(easel)
        case _:
            _bank(easel, sky.cloud, sky.shade, rows=2 if weather is Weather.CLOUDY else 1)


def _sun(easel: Easel, place: tuple[float, float], core: Rgb, halo: Rgb) -> None:
    easel.lay(easel.disc(*place, 7.8), halo, 0.5)
    easel.lay(easel.disc(*place, 5.5), core)


def _moon(easel: Easel) -> None:
    x, y = _HIGH
    easel.lay(easel.disc(x, y, 7.6), (150, 160, 224), 0.3)
    easel.lay(easel.disc(x, y, 5.4) & ~easel.disc(x + 3.2, y - 2.0, 4.6), (255, 244, 206))


def _stars(easel: Easel) -> None:
    """Stars in cells of the first two rows, in two arrangements."""
    for row in range(2):
        for column in range(CELLS):
            if column in {5, 6} or (row + column) % 2:
                continue
            places = ((2.0, 2.5, 0.75), (6.0, 6.0, 0.55)) if column % 4 < 2 else ((5.5, 3.0, 0.6),)
            for x, y, radius in places:
                easel.lay(easel.disc(column * CELL + x, row * CELL + y, radius), (255, 250, 226))


def _cloud(easel: Easel, x: float, y: float, light: Rgb, shade: Rgb) -> None:
    """A small cloud, three cells wide, within two rows of cells."""
    puffs = easel.disc(x - 5, y, 4.4, 2.6) | easel.disc(x, y - 2, 4.8, 3.7) | easel.disc(x + 5, y, 4.6, 2.7)
    easel.lay(puffs, shade)
    easel.lay(puffs & (easel.y < y + 0.5), light)


def _bank(easel: Easel, light: Rgb, shade: Rgb, rows: int) -> None:
    """A layer of clouds that covers the top of the sky; it repeats every four cells."""
    base = 3.0 if rows == 1 else 7.5
    _puffs(easel, base, ((4.0, 5.4), (13.0, 6.4), (22.0, 5.0), (29.0, 5.8)), shade, 0.66)
    _puffs(easel, base - 2.6, ((7.0, 5.0), (15.0, 6.0), (24.0, 4.6), (31.0, 5.2)), light, 0.6)


def _puffs(
    easel: Easel, base: float, puffs: tuple[tuple[float, float], ...], colour: Rgb, flat: float
) -> None:
    """Everything above `base`, and round puffs of (middle, radius) below it."""
    shape = easel.y < base
    for x, radius in puffs:
        for shift in (-4 * CELL, 0, 4 * CELL):
            across = (easel.within - x - shift) / radius
            shape |= across**2 + ((easel.y - base) / (radius * flat)) ** 2 <= 1
    easel.lay(shape & (easel.y < 2 * CELL), colour)
