"""Drawings rendered as stamps, small pictures with transparency; each is made once and cached.

A thing looks the same wherever it stands, and its box covers whole cells. A pattern is a function of the
pixel's position in its cell, so one code for the paint decides it in every cell of a thing.
"""

from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.scenes.canvas import SAMPLES, Mask, coverage
from training.scenes.filters import blur, canny
from training.world.drawing import DRAWINGS, SKELETONS
from training.world.drawing.sketch import NOTHING, Sketch, Tone
from training.world.nouns import CELL, COLOURS, Colour, Kind, Pattern, Size
from training.world.palette import DUSK, SEGMENTATION, SUNLIGHT, paint

NEUTRAL_GROUND: Final = 205
"""Grey of the ground on which the edges of a drawing are detected."""
_SHADOW_OPACITY: Final = 0.26
_SHADOW_COLOUR: Final = (40, 30, 70)
_STRIPE: Final = 3.4
"""Width of a stripe, in pixels along a row; stripes repeat every cell."""
_DOT: Final = 1.5
"""Radius of a dot in pixels; every cell has two."""
_LIMB_PIXELS: Final = 1.7
_JOINT_PIXELS: Final = 2.7


Floats = NDArray[np.floating]


class Stamp(NamedTuple):
    """A picture with transparency, ready to be drawn onto another.

    ink: [side, side, 3] uint16, colour times opacity, 0..255.
    clear: [side, side, 1] uint16, 255 minus opacity.
    """

    ink: NDArray[np.uint16]
    clear: NDArray[np.uint16]


@cache
def colour_stamp(kind: Kind, colour: Colour, pattern: Pattern, size: Size) -> Stamp:
    """The stamp of a thing in its colour and pattern, with its shadow on the ground."""
    ink, opacity = inks(kind, pattern, size)
    return _stamp(ink[COLOURS.index(colour)], opacity)


@cache
def inks(kind: Kind, pattern: Pattern, size: Size) -> tuple[Floats, Floats]:
    """A thing with its shadow in all colours: colour times opacity and opacity.

    [colours, side, side, 3] in 0..255 and [side, side] in 0..1.
    """
    parts = _parts(kind, size, pattern)
    shaded = parts.shadow * _SHADOW_OPACITY * (1 - parts.opacity)
    ink = np.stack([_inked(parts, colour) for colour in COLOURS])
    return ink + shaded[..., None] * np.array(_SHADOW_COLOUR, np.float32), parts.opacity + shaded


@cache
def silhouette(kind: Kind, size: Size) -> NDArray[np.bool_]:
    """The pixels that a thing covers, without its shadow: [side, side]."""
    return _parts(kind, size, Pattern.PLAIN).opacity >= 0.5


@cache
def footprint(kind: Kind, size: Size) -> NDArray[np.bool_]:
    """The pixels that a thing or its shadow changes: [side, side]."""
    return colour_stamp(kind, Colour.RED, Pattern.PLAIN, size).clear[..., 0] < 255


@cache
def edge_stamp(kind: Kind, size: Size) -> NDArray[np.bool_]:
    """Canny's edges of the kind, the same for every colour and pattern: [side, side]."""
    parts = _parts(kind, size, Pattern.PLAIN)
    ink = _inked(parts, Colour.RED)
    ground = np.full(ink.shape, NEUTRAL_GROUND, np.uint8)
    lay(_stamp(ink, parts.opacity), ground)
    margin = np.pad(ground, ((2, 2), (2, 2), (0, 0)), constant_values=NEUTRAL_GROUND)
    return canny(margin)[2:-2, 2:-2]


@cache
def soft_edge_stamp(kind: Kind, size: Size) -> NDArray[np.uint8]:
    """Thick, soft edges like those of a HED network: [side, side], 0..255."""
    soft = blur(edge_stamp(kind, size).astype(np.float32), 0.8)
    return np.round(255 * np.minimum(soft * 1.6, 1)).astype(np.uint8)


@cache
def pose_stamp(kind: Kind, size: Size) -> Stamp:
    """An animal's stick figure in its class colour, with white joints."""
    sketch = Sketch(size.pixels)
    limbs = np.zeros(sketch.tone.shape, np.bool_)
    joints = limbs.copy()
    for limb in SKELETONS[kind]:
        limbs |= sketch.stroke(limb, _LIMB_PIXELS / size.pixels)
        for x, y in limb:
            joints |= sketch.disc(x, y, _JOINT_PIXELS / 2 / size.pixels)
    white, coloured = coverage(joints), coverage(limbs & ~joints)
    ink = 255 * white[..., None] + coloured[..., None] * np.array(SEGMENTATION[kind], np.float32)
    return _stamp(ink, white + coloured)


def lay(stamp: Stamp, ground: NDArray[np.uint8]) -> None:
    """Draw a stamp onto a part of a picture of the same size, in place."""
    ground[:] = stamp.ink + (stamp.clear * ground + 127) // 255


class _Parts(NamedTuple):
    """A drawing as a linear function of its tones.

    weights: [tones + 2, side, side], share of each tone, of sunlight and of dusk in each pixel.
    opacity, shadow: [side, side], share of each pixel that the thing and its shadow cover.
    """

    weights: NDArray[np.float32]
    opacity: NDArray[np.float32]
    shadow: NDArray[np.float32]


def _inked(parts: _Parts, colour: Colour) -> NDArray[np.float32]:
    """Colour times opacity, 0..255: [side, side, 3]."""
    tones = np.concatenate([paint(colour), np.array([SUNLIGHT, DUSK], np.float32)])
    # sums of products instead of a matrix product: their bits are the same on every machine
    ink = np.zeros((*parts.opacity.shape, 3), np.float32)
    for weight, tone in zip(parts.weights, tones, strict=True):
        ink += weight[..., None] * tone
    return ink


@cache
def _parts(kind: Kind, size: Size, pattern: Pattern) -> _Parts:
    sketch = _sketch(kind, size)
    tone = sketch.tone
    if pattern is not Pattern.PLAIN:
        tone = np.where((tone == Tone.BODY) & _pattern(pattern, size), np.int8(Tone.ACCENT), tone)
    plain = 1 - np.abs(sketch.light)
    covered = tone != NOTHING
    layers = [_mean(np.where(tone == each, plain, 0)) for each in Tone]
    layers += [_mean(np.where(covered, np.maximum(sign * sketch.light, 0), 0)) for sign in (1, -1)]
    shadow = np.zeros_like(covered) if sketch.shadow is None else sketch.shadow
    return _Parts(np.stack(layers), coverage(covered), coverage(shadow))


@cache
def _sketch(kind: Kind, size: Size) -> Sketch:
    sketch = Sketch(size.pixels)
    DRAWINGS[kind](sketch)
    return sketch


@cache
def _pattern(pattern: Pattern, size: Size) -> Mask:
    """The samples of a box that a pattern paints."""
    line = ((np.arange(size.pixels * SAMPLES) + 0.5) / SAMPLES) % CELL
    x, y = np.meshgrid(line, line)
    if pattern is Pattern.STRIPED:
        return (x + y) % CELL < _STRIPE
    near = [(x - at) ** 2 + (y - at) ** 2 for at in (2.0, 6.0)]
    return np.minimum(*near) <= _DOT**2


def _mean(samples: NDArray[np.floating]) -> NDArray[np.float32]:
    pixels = samples.shape[0] // SAMPLES
    return samples.reshape(pixels, SAMPLES, pixels, SAMPLES).mean(axis=(1, 3), dtype=np.float32)


def _stamp(ink: NDArray[np.floating], opacity: NDArray[np.floating]) -> Stamp:
    """Round to the integers that `lay` uses."""
    clear = 255 - np.round(255 * np.clip(opacity, 0, 1)[..., None]).astype(np.uint16)
    return Stamp(np.minimum(np.floor(np.maximum(ink, 0)), 255 - clear).astype(np.uint16), clear)
