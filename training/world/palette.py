"""Colours of the larger world: paints of things, colours of their classes, light of the times of day."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.world.drawing.sketch import Tone
from training.world.nouns import KINDS, Colour, Kind

Rgb = tuple[float, float, float]

DUSK: Final[Rgb] = (48, 34, 84)
"""Colour of full shade."""
SUNLIGHT: Final[Rgb] = (255, 252, 244)
"""Colour of full light."""
_INK: Final[Rgb] = (58, 40, 70)

BASE: Final[dict[Colour, Rgb]] = {
    Colour.RED: (226, 70, 64),
    Colour.ORANGE: (241, 145, 48),
    Colour.YELLOW: (249, 212, 76),
    Colour.GREEN: (92, 180, 90),
    Colour.BLUE: (72, 138, 224),
    Colour.PURPLE: (150, 94, 202),
    Colour.PINK: (246, 150, 184),
    Colour.BROWN: (156, 104, 70),
    Colour.BLACK: (70, 66, 82),
    Colour.WHITE: (247, 245, 241),
}

_FIXED: Final[dict[Tone, Rgb]] = {
    Tone.CREAM: (255, 246, 226),
    Tone.INK: (52, 42, 64),
    Tone.WOOD: (176, 120, 78),
    Tone.GLASS: (176, 222, 240),
    Tone.METAL: (188, 194, 206),
    Tone.LEAF: (108, 176, 84),
    Tone.ORANGE: (244, 150, 60),
    Tone.GOLD: (250, 206, 92),
    Tone.PINK: (246, 150, 164),
    Tone.SLATE: (104, 100, 134),
}


def mix(first: Sequence[float], second: Sequence[float], share: float) -> Rgb:
    """A mixture of two colours; `share` (0..1) is the share of `second`."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def paint(colour: Colour) -> NDArray[np.float32]:
    """The RGB value of every tone for a thing of this colour: [tones, 3]."""
    base = BASE[colour]
    accent = mix(base, (120, 140, 190), 0.5) if colour is Colour.WHITE else mix(base, SUNLIGHT, 0.68)
    tones = {
        Tone.BODY: base,
        Tone.DEEP: mix(base, DUSK, 0.24),
        Tone.ACCENT: accent,
        Tone.OUTLINE: mix(_INK, base, 0.18),
        **_FIXED,
    }
    return np.array([tones[tone] for tone in Tone], np.float32)


def _class_colours() -> dict[Kind, tuple[int, int, int]]:
    """48 colours of a lattice, none of them near to black, in an order that gives neighbours distant ones."""
    levels = (0, 85, 170, 255)
    lattice = [(r, g, b) for r in levels for g in levels for b in levels if r + g + b > 170]
    step = 23
    return {kind: lattice[place * step % len(lattice)] for place, kind in enumerate(KINDS)}


SEGMENTATION: Final = _class_colours()
"""Class colours of the segmentation map; the ground is black."""
