"""All words of the scene world in their base form, without function words: what its models know."""

from typing import Final

from training.scenes.wording import WHERE
from training.scenes.world import COLOURS, KINDS, PLACES, SIZES, Background

_COUNTS: Final = ("two", "three", "four")
_RELATIONS: Final = ("above", "over", "below", "under", "front")
_CAPTIONS: Final = ("picture", "draw", "same")
_INSTRUCTIONS: Final = (
    *("add", "put", "place", "remove", "delete", "take", "away", "replace", "turn"),
    *("make", "paint", "colour", "move", "bring", "change", "set", "background", "scene"),
)


def known_words() -> tuple[str, ...]:
    """Things, colours, sizes, sceneries, places, counts, relations, words of captions and instructions."""
    sceneries = [
        WHERE[background].split()[-1] for background in Background if background is not Background.PLAIN
    ]
    places = dict.fromkeys(word for place in PLACES for word in place.split())
    return (
        *KINDS,
        *COLOURS,
        *SIZES,
        *sceneries,
        *places,
        *_COUNTS,
        *_RELATIONS,
        *_CAPTIONS,
        *_INSTRUCTIONS,
    )
