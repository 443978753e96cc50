"""Colours of sky and ground at each time of day and in each weather."""

from typing import Final, NamedTuple

from training.world.nouns import Time, Weather
from training.world.palette import Rgb, mix

_SNOW: Final[Rgb] = (248, 250, 255)
_GROUND_SNOW: Final = 0.58
"""Share of snow on the ground; what stands at the horizon has less, so that it can be recognised."""
HORIZON_SNOW: Final = 0.4
_FILTER: Final[dict[Time, Rgb]] = {
    Time.DAY: (1.0, 1.0, 1.0),
    Time.SUNSET: (1.0, 0.82, 0.74),
    Time.NIGHT: (0.46, 0.52, 0.72),
}
"""Share of red, green and blue light that reaches the ground."""
_RAIN_FILTER: Final[Rgb] = (0.76, 0.82, 0.9)
_HAZE: Final[dict[Time, tuple[Rgb, float]]] = {
    Time.DAY: ((0, 0, 0), 0.0),
    Time.SUNSET: ((255, 150, 100), 0.08),
    Time.NIGHT: ((40, 44, 120), 0.34),
}
"""Colour of the air, and its share."""


class Sky(NamedTuple):
    """Colour at the top and at the horizon, and of clouds in light and in shade."""

    top: Rgb
    low: Rgb
    cloud: Rgb
    shade: Rgb


SKIES: Final[dict[tuple[Time, Weather], Sky]] = {
    (Time.DAY, Weather.CLEAR): Sky((104, 182, 240), (208, 238, 252), (255, 255, 255), (224, 238, 250)),
    (Time.DAY, Weather.CLOUDY): Sky((104, 182, 240), (208, 238, 252), (248, 250, 254), (200, 212, 228)),
    (Time.DAY, Weather.RAIN): Sky((120, 140, 170), (172, 190, 210), (154, 166, 188), (112, 126, 152)),
    (Time.DAY, Weather.SNOW): Sky((176, 194, 218), (226, 234, 244), (240, 244, 250), (200, 212, 230)),
    (Time.SUNSET, Weather.CLEAR): Sky((122, 92, 172), (255, 184, 112), (255, 214, 164), (240, 146, 132)),
    (Time.SUNSET, Weather.CLOUDY): Sky((122, 92, 172), (255, 184, 112), (246, 176, 160), (184, 118, 150)),
    (Time.SUNSET, Weather.RAIN): Sky((100, 86, 130), (214, 148, 130), (140, 116, 148), (98, 84, 124)),
    (Time.SUNSET, Weather.SNOW): Sky((164, 138, 184), (250, 200, 178), (238, 206, 212), (190, 158, 192)),
    (Time.NIGHT, Weather.CLEAR): Sky((20, 24, 70), (66, 78, 150), (90, 98, 164), (54, 62, 124)),
    (Time.NIGHT, Weather.CLOUDY): Sky((20, 24, 70), (66, 78, 150), (92, 98, 150), (56, 62, 112)),
    (Time.NIGHT, Weather.RAIN): Sky((20, 24, 56), (50, 60, 104), (60, 68, 104), (38, 44, 78)),
    (Time.NIGHT, Weather.SNOW): Sky((40, 48, 98), (98, 110, 166), (112, 122, 174), (74, 84, 138)),
}


def lit(colour: Rgb, time: Time, weather: Weather, snow: float = _GROUND_SNOW) -> Rgb:
    """A colour of the ground as it looks at this time in this weather; clouds alone do not change it.

    snow: the share of snow that covers it when it snows.
    """
    if weather is Weather.SNOW:
        colour = mix(colour, _SNOW, snow)
    if weather is Weather.RAIN:
        colour = _filtered(colour, _RAIN_FILTER)
    return mix(_filtered(colour, _FILTER[time]), *_HAZE[time])


def indoors(colour: Rgb, time: Time) -> Rgb:
    """A colour of a room, which is lit by a lamp at night."""
    match time:
        case Time.DAY:
            return colour
        case Time.SUNSET:
            return mix(colour, (255, 140, 90), 0.2)
        case Time.NIGHT:
            return mix(_filtered(colour, (0.72, 0.62, 0.66)), (96, 56, 96), 0.2)


def _filtered(colour: Rgb, light: Rgb) -> Rgb:
    red, green, blue = (value * share for value, share in zip(colour, light, strict=True))
    return red, green, blue
