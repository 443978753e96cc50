"""A drawing in the making: parts with outlines, shaded by light from the upper left, laid over each other.

Every thing of the world is drawn by these strokes alone, so all of them look like one hand's work.
"""

import math
from collections.abc import Sequence
from enum import IntEnum, auto
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.scenes.canvas import SAMPLES, Canvas, Mask, Point, grown


class Tone(IntEnum):
    """Paint of a part. BODY, DEEP, ACCENT and OUTLINE depend on the colour; ACCENT paints the pattern."""

    BODY = 0
    DEEP = auto()
    ACCENT = auto()
    OUTLINE = auto()
    CREAM = auto()
    INK = auto()
    WOOD = auto()
    GLASS = auto()
    METAL = auto()
    LEAF = auto()
    ORANGE = auto()
    GOLD = auto()
    PINK = auto()
    SLATE = auto()


NOTHING: Final = -1
"""Tone of samples that no part covers."""

_OUTLINE_PIXELS: Final = {16: 0.62, 24: 0.8, 32: 0.95}
Tones = NDArray[np.int8]
Light = NDArray[np.float32]

_RIM: Final = 0.075
"""Width of the shade at the lower right of a part, in units of the drawing."""
_RIM_SHADE, _SLOPE, _GLOSS = -0.24, 0.13, 0.62


class Sketch(Canvas):
    """A square of `pixels` x `pixels` pixels; shapes take coordinates in 0..1, y downwards.

    tone:  [side, side] int8, the tone of each sample or NOTHING.
    light: [side, side] float32, from -1 (full shade) to 1 (white).
    shadow: the ground's samples that lie in the thing's shadow, or None.
    """

    def __init__(self, pixels: int) -> None:
        super().__init__(pixels)
        side = pixels * SAMPLES
        self.tone: Tones = np.full((side, side), NOTHING, np.int8)
        self.light: Light = np.zeros((side, side), np.float32)
        self.shadow: Mask | None = None
        self._outline = round(_OUTLINE_PIXELS[pixels] * SAMPLES)

    # shapes

    def oval(self, x: float, y: float, rx: float, ry: float, turn: float = 0.0) -> Mask:
        """An ellipse around (x, y), turned clockwise by `turn` degrees."""
        cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        along = (self._x - x) * cosine + (self._y - y) * sine
        across = (self._y - y) * cosine - (self._x - x) * sine
        return (along / rx) ** 2 + (across / ry) ** 2 <= 1

    def polygon(self, *points: Point) -> Mask:
        """The inside of a closed polygon by the even-odd rule; only the part around it is computed."""
        part = self._around(points, 0.0)
        x, y = self._x[part], self._y[part]
        inside = np.zeros_like(x, dtype=np.bool_)
        for (x0, y0), (x1, y1) in pairwise((*points, points[0])):
            if y0 != y1:
                crosses = (y0 <= y) != (y1 <= y)
                inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
        return self._whole(part, inside)

    def stroke(self, points: Sequence[Point], width: float) -> Mask:
        """A line through the points with round ends, `width` wide; only the part around it is computed."""
        drawn = np.zeros_like(self._x, dtype=np.bool_)
        for (x0, y0), (x1, y1) in pairwise(points):
            part = self._around(((x0, y0), (x1, y1)), width)
            x, y = self._x[part], self._y[part]
            along_x, along_y = x1 - x0, y1 - y0
            share = ((x - x0) * along_x + (y - y0) * along_y) / (along_x**2 + along_y**2)
            share = np.clip(share, 0, 1)
            far = (x - x0 - share * along_x) ** 2 + (y - y0 - share * along_y) ** 2
            drawn[part] |= far <= (width / 2) ** 2
        return drawn

    def disc(self, x: float, y: float, r: float) -> Mask:
        return self.oval(x, y, r, r)

    def box(self, x0: float, y0: float, x1: float, y1: float, rounding: float = 0.0) -> Mask:
        """A rectangle between two corners, with rounded corners."""
        return self.rectangle((x0, y0), (x1, y1), rounding=rounding)

    def blob(self, *points: Point) -> Mask:
        """The inside of a smooth closed curve through the points."""
        return self.polygon(*smooth([*points, points[0]], closed=True))

    def curve(self, width: float, *points: Point) -> Mask:
        """A smooth line through the points with round ends."""
        return self.stroke(smooth(points), width)

    def above(self, y: float) -> Mask:
        """Everything higher than `y`."""
        return self._y < y

    def left(self, x: float) -> Mask:
        """Everything to the left of `x`."""
        return self._x < x

    # strokes

    def part(
        self,
        shape: Mask,
        tone: Tone = Tone.BODY,
        *,
        gloss: Point | None = None,
        rim: float = _RIM,
        outline: bool = True,
    ) -> Mask:
        """Draw a solid part: outline, paint, light at the upper left and shade at the lower right.

        gloss: place of a highlight. Returns the shape.
        """
        rows, columns = np.nonzero(shape)
        if rows.size:
            if outline:
                self._lay(self._bordered(shape, rows, columns), Tone.OUTLINE)
            self._lay(shape, tone)
            side = shape.shape[0]
            middle_x, middle_y = (columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2
            reach = max(np.ptp(rows), np.ptp(columns), side * 0.12) / 2
            slope = _SLOPE * (middle_x - columns + middle_y - rows) / (1.4 * reach)
            self.light[rows, columns] = slope
        self.light[self.rim(shape, rim, rim)] += _RIM_SHADE
        if gloss is not None:
            self.light[shape & self.oval(*gloss, 0.075, 0.05, -35)] = _GLOSS
        return shape

    def mark(
        self, shape: Mask, tone: Tone, *, within: Mask | None = None, light: float | None = None
    ) -> None:
        """Paint a detail without outline, by default only where something is drawn already.

        light: the detail's own light; None keeps that of the part below.
        """
        covered = shape & ((self.tone != NOTHING) if within is None else within)
        self.tone[covered] = tone
        if light is not None:
            self.light[covered] = light

    def line(
        self, width: float, *points: Point, within: Mask | None = None, tone: Tone = Tone.OUTLINE
    ) -> None:
        """Draw a thin smooth line on what is drawn already."""
        self.mark(self.curve(width, *points), tone, within=within, light=0.0)

    def eye(self, x: float, y: float, r: float = 0.055) -> None:
        """A dark eye with a glint."""
        self.mark(self.oval(x, y, r, r * 1.15), Tone.INK, light=0.0)
        self.mark(self.disc(x - r * 0.35, y - r * 0.45, r * 0.42), Tone.CREAM, light=0.5)

    def stand(self, x: float, half: float, y: float = 0.935) -> None:
        """Cast a shadow on the ground, `half` wide to both sides of x."""
        shape = self.oval(x + 0.02, y, half, 0.05)
        self.shadow = shape if self.shadow is None else self.shadow | shape

    def _around(self, points: Sequence[Point], margin: float) -> tuple[slice, slice]:
        """The rows and columns of samples around some points."""
        side = self._x.shape[0]
        (left, right), (top, bottom) = (
            (
                max(0, math.floor((min(values) - margin) * side) - 1),
                max(0, math.ceil((max(values) + margin) * side) + 1),
            )
            for values in zip(*points, strict=True)
        )
        return slice(top, bottom), slice(left, right)

    def _whole(self, part: tuple[slice, slice], shape: Mask) -> Mask:
        """A shape that was computed for a part of the canvas."""
        whole = np.zeros_like(self._x, dtype=np.bool_)
        whole[part] = shape
        return whole

    def _bordered(self, shape: Mask, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Mask:
        """The shape with its outline. rows, columns: its samples; only the part around them is computed."""
        reach = self._outline
        around = tuple(slice(max(at.min() - reach, 0), at.max() + reach + 1) for at in (rows, columns))
        bordered = np.zeros_like(shape)
        bordered[around] = grown(shape[around], reach)
        return bordered

    def _lay(self, shape: Mask, tone: Tone) -> None:
        self.tone[shape] = tone
        self.light[shape] = 0.0


def smooth(points: Sequence[Point], *, closed: bool = False, steps: int = 6) -> list[Point]:
    """Points on the Catmull-Rom curve through `points`; a closed curve ends where it begins."""
    count = len(points)
    if count < 3:
        return list(points)
    before = points[-2] if closed else points[0]
    after = points[1] if closed else points[-1]
    padded = [before, *points, after]
    result: list[Point] = []
    for index in range(count - 1):
        p0, p1, p2, p3 = padded[index : index + 4]
        for step in range(steps):
            t = step / steps
            weights = (
                -0.5 * t**3 + t**2 - 0.5 * t,
                1.5 * t**3 - 2.5 * t**2 + 1,
                -1.5 * t**3 + 2 * t**2 + 0.5 * t,
                0.5 * t**3 - 0.5 * t**2,
            )
            pairs = list(zip(weights, (p0, p1, p2, p3), strict=True))
            result.append((sum(w * p[0] for w, p in pairs), sum(w * p[1] for w, p in pairs)))
    result.append(points[-1])
    return result
