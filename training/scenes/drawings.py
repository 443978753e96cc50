"""The drawing of every kind of object: layers of shapes, back to front, in the unit square."""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from training.scenes.canvas import Canvas, Mask, Point
from training.scenes.palette import Tone
from training.scenes.world import Kind


class Layer(NamedTuple):
    """A shape and its paint."""

    shape: Mask
    tone: Tone


def _shaded(canvas: Canvas, shape: Mask, depth: float = 0.09) -> list[Layer]:
    """A shape lit from the upper left: its colour, and a darker crescent at the lower right."""
    return [Layer(shape, Tone.BODY), Layer(canvas.rim(shape, depth, depth), Tone.SHADE)]


def _ball(c: Canvas) -> list[Layer]:
    disc = c.ellipse((0.5, 0.5), 0.42)
    belt = disc & c.ellipse((0.5, 0.2), 0.62, 0.42) & ~c.ellipse((0.5, 0.12), 0.62, 0.34)
    return [
        *_shaded(c, disc, 0.1),
        Layer(belt, Tone.SPOT),
        Layer(belt & c.rim(disc, 0.1, 0.1), Tone.LIGHT),
        Layer(c.ellipse((0.36, 0.29), 0.1, 0.07), Tone.SPOT),
    ]


def _cube(c: Canvas) -> list[Layer]:
    top, centre, bottom = (0.5, 0.07), (0.5, 0.48), (0.5, 0.94)
    upper_left, upper_right = (0.1, 0.27), (0.9, 0.27)
    lower_left, lower_right = (0.1, 0.73), (0.9, 0.73)
    return [
        Layer(c.polygon(top, upper_right, centre, upper_left), Tone.LIGHT),
        Layer(c.polygon(upper_left, centre, bottom, lower_left), Tone.BODY),
        Layer(c.polygon(centre, upper_right, lower_right, bottom), Tone.DEEP),
    ]


def _star(c: Canvas) -> list[Layer]:
    points: list[Point] = []
    for tip in range(10):
        radius = 0.46 if tip % 2 == 0 else 0.22
        angle = math.pi * (tip / 5 - 0.5)
        points.append((0.5 + radius * math.cos(angle), 0.53 + radius * math.sin(angle)))
    star = c.polygon(*points)
    return [*_shaded(c, star, 0.07), Layer(c.ellipse((0.45, 0.42), 0.06, 0.09), Tone.LIGHT)]


def _heart(c: Canvas) -> list[Layer]:
    lobes = c.ellipse((0.29, 0.34), 0.225) | c.ellipse((0.71, 0.34), 0.225)
    heart = lobes | c.polygon((0.1, 0.45), (0.5, 0.25), (0.9, 0.45), (0.5, 0.93))
    return [*_shaded(c, heart, 0.1), Layer(c.ellipse((0.27, 0.3), 0.09, 0.07), Tone.SPOT)]


def _tree(c: Canvas) -> list[Layer]:
    trunk = c.rectangle((0.41, 0.7), (0.59, 0.95), rounding=0.02)
    low = c.polygon((0.5, 0.34), (0.9, 0.8), (0.1, 0.8))
    middle = c.polygon((0.5, 0.18), (0.82, 0.57), (0.18, 0.57))
    high = c.polygon((0.5, 0.04), (0.72, 0.33), (0.28, 0.33))
    crown = low | middle | high
    return [
        Layer(trunk, Tone.WOOD),
        Layer(crown, Tone.BODY),
        Layer(c.rim(middle, 0, 0.07) & low, Tone.DEEP),
        Layer(c.rim(high, 0, 0.07) & middle, Tone.DEEP),
        Layer(c.rim(low, 0.1, 0.05), Tone.SHADE),
    ]


def _house(c: Canvas) -> list[Layer]:
    walls = c.rectangle((0.16, 0.45), (0.84, 0.94))
    roof = c.polygon((0.5, 0.06), (0.96, 0.5), (0.04, 0.5))
    return [
        Layer(c.rectangle((0.68, 0.1), (0.8, 0.4)), Tone.DEEP),
        Layer(walls, Tone.CREAM),
        *_shaded(c, roof, 0.07),
        Layer(c.rectangle((0.54, 0.62), (0.73, 0.94)), Tone.BODY),
        Layer(c.rectangle((0.25, 0.59), (0.45, 0.78)), Tone.GLASS),
    ]


def _fish(c: Canvas) -> list[Layer]:
    body = c.ellipse((0.42, 0.52), 0.36, 0.27)
    tail = c.polygon((0.66, 0.52), (0.92, 0.26), (0.86, 0.52), (0.92, 0.78))
    fin = c.polygon((0.34, 0.32), (0.48, 0.1), (0.64, 0.34))
    return [
        Layer(tail | fin, Tone.DEEP),
        *_shaded(c, body, 0.07),
        Layer(c.ellipse((0.4, 0.68), 0.24, 0.1) & body, Tone.LIGHT),
        Layer(c.ellipse((0.25, 0.46), 0.085), Tone.CREAM),
        Layer(c.ellipse((0.235, 0.46), 0.05), Tone.INK),
    ]


def _mug(c: Canvas) -> list[Layer]:
    handle = c.ellipse((0.7, 0.54), 0.24, 0.24) & ~c.ellipse((0.7, 0.54), 0.12, 0.12)
    body = c.rectangle((0.1, 0.2), (0.7, 0.92), rounding=0.1) | c.ellipse((0.4, 0.22), 0.3, 0.1)
    return [
        Layer(handle, Tone.DEEP),
        *_shaded(c, body, 0.12),
        Layer(c.rectangle((0.18, 0.36), (0.26, 0.8), rounding=0.04), Tone.LIGHT),
        Layer(c.ellipse((0.4, 0.22), 0.3, 0.11), Tone.SPOT),
        Layer(c.ellipse((0.4, 0.24), 0.22, 0.07), Tone.WOOD),
    ]


def _mushroom(c: Canvas) -> list[Layer]:
    stem = c.rectangle((0.36, 0.45), (0.64, 0.94), rounding=0.1)
    cap = c.ellipse((0.5, 0.53), 0.45, 0.46) & ~c.below(0.56)
    return [
        Layer(stem, Tone.CREAM),
        *_shaded(c, cap, 0.08),
        Layer(c.ellipse((0.47, 0.24), 0.1, 0.09), Tone.SPOT),
        Layer(c.ellipse((0.23, 0.42), 0.075, 0.075), Tone.SPOT),
        Layer(c.ellipse((0.74, 0.4), 0.085, 0.085), Tone.SPOT),
    ]


def _umbrella(c: Canvas) -> list[Layer]:
    dome = c.ellipse((0.5, 0.5), 0.44, 0.4) & ~c.below(0.52)
    for centre in (0.195, 0.5, 0.805):
        dome &= ~c.ellipse((centre, 0.54), 0.15, 0.09)
    rod = c.stroke(((0.5, 0.08), (0.5, 0.84), (0.46, 0.91), (0.38, 0.92), (0.34, 0.84)), 0.075)
    middle = dome & c.ellipse((0.5, 0.52), 0.17, 0.46)
    return [
        Layer(rod, Tone.WOOD),
        Layer(dome, Tone.BODY),
        Layer(middle, Tone.LIGHT),
        Layer(c.rim(dome, 0.16, 0) & ~middle, Tone.SHADE),
    ]


def _car(c: Canvas) -> list[Layer]:
    cabin = c.polygon((0.22, 0.5), (0.32, 0.22), (0.66, 0.22), (0.8, 0.5))
    hull = c.rectangle((0.05, 0.45), (0.95, 0.76), rounding=0.1)
    return [
        Layer(cabin, Tone.BODY),
        *_shaded(c, hull, 0.06),
        Layer(c.polygon((0.31, 0.48), (0.37, 0.29), (0.47, 0.29), (0.47, 0.48)), Tone.GLASS),
        Layer(c.polygon((0.53, 0.48), (0.53, 0.29), (0.62, 0.29), (0.71, 0.48)), Tone.GLASS),
        *(Layer(c.ellipse((x, 0.77), 0.14), Tone.INK) for x in (0.28, 0.73)),
        *(Layer(c.ellipse((x, 0.77), 0.06), Tone.CREAM) for x in (0.28, 0.73)),
    ]


def _boat(c: Canvas) -> list[Layer]:
    mast = c.rectangle((0.46, 0.06), (0.53, 0.74))
    hull = c.polygon((0.06, 0.7), (0.94, 0.7), (0.78, 0.94), (0.22, 0.94))
    return [
        Layer(mast, Tone.INK),
        Layer(hull, Tone.WOOD),
        Layer(c.polygon((0.56, 0.08), (0.92, 0.62), (0.56, 0.62)), Tone.BODY),
        Layer(c.polygon((0.43, 0.2), (0.43, 0.62), (0.12, 0.62)), Tone.SHADE),
    ]


DRAWINGS: Final[dict[Kind, Callable[[Canvas], list[Layer]]]] = {
    Kind.BALL: _ball,
    Kind.CUBE: _cube,
    Kind.STAR: _star,
    Kind.HEART: _heart,
    Kind.TREE: _tree,
    Kind.HOUSE: _house,
    Kind.FISH: _fish,
    Kind.MUG: _mug,
    Kind.MUSHROOM: _mushroom,
    Kind.UMBRELLA: _umbrella,
    Kind.CAR: _car,
    Kind.BOAT: _boat,
}
