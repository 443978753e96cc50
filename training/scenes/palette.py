"""All colours of the scene world: tones of objects, bands of backgrounds, classes of maps."""

from enum import Enum
from typing import Final

from training.scenes.world import KINDS, Background, Colour, Kind

Rgb = tuple[int, int, int]


class Tone(Enum):
    """Paint of a part of a drawing; the first six tones depend on the object's colour."""

    BODY = "body"
    LIGHT = "light"
    SHADE = "shade"
    DEEP = "deep"
    SPOT = "spot"
    OUTLINE = "outline"
    WOOD = "wood"
    CREAM = "cream"
    GLASS = "glass"
    INK = "ink"


BASE: Final[dict[Colour, Rgb]] = {
    Colour.RED: (224, 58, 62),
    Colour.ORANGE: (246, 140, 36),
    Colour.YELLOW: (252, 212, 58),
    Colour.GREEN: (54, 158, 78),
    Colour.BLUE: (54, 116, 222),
    Colour.PURPLE: (142, 76, 196),
    Colour.PINK: (250, 142, 190),
    Colour.WHITE: (244, 244, 240),
}

FIXED: Final[dict[Tone, Rgb]] = {
    Tone.WOOD: (140, 92, 60),
    Tone.CREAM: (252, 238, 212),
    Tone.GLASS: (196, 228, 244),
    Tone.INK: (52, 48, 66),
}

_WHITE: Rgb = (255, 255, 255)
_DUSK: Rgb = (42, 30, 84)
"""Shadows are mixed with this colour instead of black, which keeps dark colours clean."""

_SPOT_ON_WHITE: Rgb = (188, 192, 210)


def _mix(first: Rgb, second: Rgb, share: float) -> Rgb:
    """A mixture of two colours; `share` (0..1) is the share of `second`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def tones(colour: Colour) -> dict[Tone, Rgb]:
    """The RGB value of every tone for an object of this colour."""
    base = BASE[colour]
    return {
        Tone.BODY: base,
        Tone.LIGHT: _mix(base, _WHITE, 0.45),
        Tone.SHADE: _mix(base, _DUSK, 0.2),
        Tone.DEEP: _mix(base, _DUSK, 0.4),
        Tone.SPOT: _SPOT_ON_WHITE if colour is Colour.WHITE else _mix(base, _WHITE, 0.85),
        Tone.OUTLINE: _mix(base, _DUSK, 0.62),
        **FIXED,
    }


BANDS: Final[dict[Background, tuple[Rgb, Rgb, Rgb]]] = {
    Background.MEADOW: ((176, 220, 246), (198, 230, 248), (166, 214, 138)),
    Background.BEACH: ((126, 206, 216), (150, 216, 222), (244, 224, 178)),
    Background.NIGHT: (((40, 46, 92)), (52, 60, 112), (64, 96, 104)),
    Background.SNOW: ((198, 206, 230), (212, 218, 238), (234, 240, 250)),
    Background.DESERT: ((252, 214, 178), (252, 226, 196), (222, 166, 118)),
    Background.ROOM: ((206, 220, 196), (206, 220, 196), (182, 142, 106)),
    Background.PLAIN: ((226, 226, 226), (226, 226, 226), (226, 226, 226)),
}
"""High sky, low sky and ground of each background; a band has one colour, so its cells have one code."""

SEGMENTATION: Final[dict[Kind, Rgb]] = dict(
    zip(
        KINDS,
        (
            (230, 25, 75),
            (60, 180, 75),
            (255, 225, 25),
            (0, 90, 220),
            (245, 130, 48),
            (145, 30, 180),
            (70, 240, 240),
            (240, 50, 230),
            (170, 255, 160),
            (128, 80, 0),
            (255, 255, 255),
            (128, 128, 128),
        ),
        strict=True,
    )
)
"""Class colours of the segmentation map; the background is black."""
