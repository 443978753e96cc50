"""The whole empty picture of a setting."""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.world.landscape.easel import (
    CELLS,
    HORIZON,
    PERIOD,
    Easel,
    Field,
    cell_samples,
    coverage,
    variant,
)
from training.world.landscape.ground import paint_ground, textured
from training.world.landscape.horizon import paint_horizon
from training.world.landscape.light import indoors
from training.world.landscape.sky import paint_sky
from training.world.nouns import CELL, Scenery, Time, Weather
from training.world.palette import Rgb, mix

PLAIN_GREY: Final = 232
_WINDOW: Final = (3, 9)
"""First and last column of cells of a room's window, the last one excluded. It is wider than a thing."""
_DROPS: Final = (((2.4, 0.6), (6.0, 4.4)), ((4.2, 2.6),))
"""Upper ends of the rain's streaks within a cell, in two arrangements."""
_FLAKES: Final = (((2.0, 2.2, 1.0), (6.2, 6.0, 0.75)), ((5.6, 2.6, 0.85),))
"""Centres and radii of snowflakes within a cell, in two arrangements."""


@cache
def paint_landscape(scenery: Scenery, time: Time, weather: Weather) -> NDArray[np.uint8]:
    """The empty picture in the main size: [96, 96, 3]."""
    easel = Easel()
    if scenery is Scenery.PLAIN:
        easel.picture[:] = PLAIN_GREY
    else:
        paint_sky(easel, time, weather)
        if scenery is Scenery.ROOM:
            _fall(easel, time, weather, range(HORIZON))
            _build_room(easel, time)
        else:
            paint_horizon(easel, scenery, time, weather)
            paint_ground(easel, scenery, time, weather)
            _fall(easel, time, weather, range(CELLS))
    picture = np.clip(np.round(easel.picture), 0, 255).astype(np.uint8)
    picture.flags.writeable = False
    return picture


def _build_room(easel: Easel, time: Time) -> None:
    """Wall and floor around a window; time and weather are outside, and the light falls in."""
    outside = easel.picture[: HORIZON * CELL].copy()
    wall, frame = indoors((244, 220, 180), time), indoors((255, 252, 244), time)
    easel.fill(0, HORIZON * CELL, wall)
    left, right = (column * CELL for column in _WINDOW)
    easel.lay((easel.x > left + 1) & (easel.x < right - 1) & (easel.y > 0.6) & (easel.y < 20.4), frame)
    easel.lay((easel.x > left) & (easel.x < right) & (easel.y > 19.6) & (easel.y < 21.4), frame)
    pane = (easel.x > left + 2.6) & (easel.x < right - 2.6) & (easel.y > 2) & (easel.y < 19)
    for bar in (left + PERIOD // 2, right - PERIOD // 2):
        pane &= abs(easel.x - bar) > 0.7
    pane &= abs(easel.y - 10.6) > 0.6
    cover = coverage(pane)[..., None]
    sky = easel.picture[: HORIZON * CELL]
    sky[:] = sky * (1 - cover) + outside * cover
    easel.lay(easel.y > 22.6, mix(wall, (120, 84, 60), 0.4))
    paint_ground(easel, Scenery.ROOM, time, Weather.CLEAR)


def _fall(easel: Easel, time: Time, weather: Weather, rows: range) -> None:
    """Falling rain or snow in every cell; textured cells have the first arrangement only."""
    if weather not in {Weather.RAIN, Weather.SNOW}:
        return
    light: Rgb = (230, 240, 250) if time is not Time.NIGHT else (176, 190, 232)
    covers = (
        [_streaks(drops) for drops in _DROPS] if weather is Weather.RAIN else [_flakes(f) for f in _FLAKES]
    )
    for row in rows:
        for column in range(CELLS):
            is_textured = weather is Weather.RAIN and row >= HORIZON and textured(row, column) is not None
            kind = 0 if is_textured or 1 < row < HORIZON else variant(row + 5, column, 2)
            easel.tint(row, column, covers[kind], light if weather is Weather.RAIN else (255, 255, 255))


def _streaks(drops: tuple[tuple[float, float], ...]) -> Field:
    x, y = cell_samples()
    shape = np.zeros(x.shape, np.bool_)
    for at_x, at_y in drops:
        along = (y - at_y) / 3.2
        shape |= (abs(x - at_x + along * 1.1) < 0.4) & (along >= 0) & (along <= 1)
    return coverage(shape)[..., None] * 0.6


def _flakes(flakes: tuple[tuple[float, float, float], ...]) -> Field:
    x, y = cell_samples()
    shape = np.zeros(x.shape, np.bool_)
    for at_x, at_y, radius in flakes:
        shape |= (x - at_x) ** 2 + (y - at_y) ** 2 <= radius**2
    return coverage(shape)[..., None] * 0.9
