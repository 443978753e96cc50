"""Put edits into plain English with varied wording: 'paint the cat blue and remove the boat'."""

from collections.abc import Sequence
from typing import Final, assert_never

from numpy.random import Generator

from training.world.descriptions import Mention, mention_of
from training.world.edits import Change, EditKind
from training.world.layout import pick
from training.world.lexicon import (
    COLOUR_WORDS,
    PATTERN_NOUNS,
    PATTERN_WORDS,
    RELATION_WORDS,
    SCENERY_NOUNS,
    SIZE_WORDS,
    SKY,
    TIME_NOUNS,
    WEATHER_WORDS,
    WHEN,
    WHERE,
)
from training.world.nouns import SIZES, Pattern, Weather
from training.world.scene import Place, Scene, Setting, Thing, place_of
from training.world.wording import definite, finish, indefinite, placed

TO: Final[dict[Place, tuple[str, ...]]] = {
    Place.TOP_LEFT: ("to the top left", "to the top left corner", "to the upper left"),
    Place.TOP: ("to the top", "to the top in the middle"),
    Place.TOP_RIGHT: ("to the top right", "to the top right corner", "to the upper right"),
    Place.LEFT: ("to the left", "to the left side"),
    Place.MIDDLE: ("to the middle", "to the centre", "to the center"),
    Place.RIGHT: ("to the right", "to the right side"),
    Place.BOTTOM_LEFT: ("to the bottom left", "to the bottom left corner", "to the lower left"),
    Place.BOTTOM: ("to the bottom", "to the bottom in the middle"),
    Place.BOTTOM_RIGHT: ("to the bottom right", "to the bottom right corner", "to the lower right"),
}
ADD_WAYS: Final = ("add {new}", "put {new}", "place {new}", "draw {new}", "insert {new}")
BRING_WAYS: Final = ("bring back {new}", "bring {new} back")
REMOVE_WAYS: Final = ("remove {old}", "delete {old}", "take away {old}", "erase {old}", "get rid of {old}")
REPLACE_WAYS: Final = (
    "replace {old} with {new}",
    "turn {old} into {new}",
    "change {old} into {new}",
    "swap {old} for {new}",
)
COLOUR_WAYS: Final = (
    "make {old} {word}",
    "paint {old} {word}",
    "colour {old} {word}",
    "color {old} {word}",
    "change the colour of {old} to {word}",
    "change the color of {old} to {word}",
    "turn {old} {word}",
)
PATTERN_WAYS: Final = ("make {old} {word}", "turn {old} {word}")
PATTERN_NOUN_WAYS: Final = ("give {old} {noun}", "paint {noun} on {old}", "add {noun} to {old}")
PLAIN_WAYS: Final = ("make {old} plain", "remove the {noun} from {old}", "take the {noun} off {old}")
SIZE_WAYS: Final = ("make {old} {word}", "change the size of {old} to {word}")
BIGGER: Final = ("make {old} bigger", "make {old} larger", "enlarge {old}")
SMALLER: Final = ("make {old} smaller", "shrink {old}")
MOVE_WAYS: Final = ("move {old} {to}", "bring {old} {to}", "shift {old} {to}")
SWAP_WAYS: Final = (
    "swap {old} and {other}",
    "swap the places of {old} and {other}",
    "exchange {old} and {other}",
    "let {old} and {other} change places",
    "switch {old} and {other}",
)
SCENERY_WAYS: Final = (
    "change the background to {noun}",
    "make the background {noun}",
    "set the scene {where}",
    "move the scene to {noun}",
    "put everything {where}",
)
TIME_WAYS: Final = (
    "make it {noun}",
    "change the time of day to {noun}",
    "change it to {noun}",
    "show it {when}",
    "set the scene {when}",
)
WEATHER_WAYS: Final = (
    "make the weather {word}",
    "make it {word}",
    "change the weather to {word}",
    "show it {sky}",
)
RAIN_WAYS: Final = ("let it rain", "make it rain", "add rain")
SNOW_WAYS: Final = ("let it snow", "make it snow", "add snow")
STOP_WAYS: Final = ("stop the {noun}", "remove the {noun}", "let the {noun} stop")
AGAIN: Final = (" again", " as before")
BACK_WAYS: Final = ("go back to {noun}", "change it back to {noun}", "make it {noun} again")
JOINED: Final = (
    "{first} and {second}",
    "{first}, then {second}",
    "{first} and then {second}",
    "{first}. {second}",
)


def instruction(rng: Generator, changes: Sequence[Change], scene: Scene, *, back: bool = False) -> str:
    """The instruction for one or two changes of a scene: 'move the red ball to the top left'.

    back: the change leads back to an earlier scene, and the instruction says so.
    """
    texts = [_said(rng, change, scene, back=back) for change in changes]
    text = texts[0] if len(texts) == 1 else pick(rng, JOINED).format(first=texts[0], second=texts[1])
    if rng.random() < 0.06:
        text = f"please {text}"
    return finish(rng, text)


def reference(rng: Generator, item: Thing, scene: Scene) -> str:
    """A definite phrase that refers to one thing of a scene; sometimes with more words than needed."""
    shortest = mention_of(item, scene)
    chance = rng.random()
    if chance < 0.15:
        return definite(rng, Mention(item.kind, item.colour))
    if chance < 0.22 and item.pattern is not Pattern.PLAIN:
        return definite(rng, Mention(item.kind, item.colour, item.pattern))
    place = place_of(item, scene.canvas)
    if chance > 0.94 and place is not None:
        return placed(rng, definite(rng, shortest), place)
    return definite(rng, shortest)


def nothing_to_do(rng: Generator, absent: Mention) -> str:
    """An instruction about a thing that the picture does not show, so nothing changes."""
    old = definite(rng, absent)
    ways = pick(rng, (REMOVE_WAYS, BIGGER, SMALLER, COLOUR_WAYS, MOVE_WAYS))
    word = pick(rng, COLOUR_WORDS[pick(rng, tuple(COLOUR_WORDS))])
    to = pick(rng, TO[pick(rng, tuple(TO))])
    return finish(rng, pick(rng, ways).format(old=old, word=word, to=to))


def _said(rng: Generator, change: Change, scene: Scene, *, back: bool) -> str:
    """The words for one change."""
    match change.kind:
        case EditKind.SCENERY | EditKind.TIME | EditKind.WEATHER:
            return _setting_words(rng, change, scene.setting, back=back)
        case EditKind.ADD:
            return _add_words(rng, change, scene, back=back)
        case EditKind.REMOVE:
            return pick(rng, REMOVE_WAYS).format(old=reference(rng, change.gone[0], scene)) + _again(
                rng, back
            )
        case EditKind.SWAP:
            old, other = (reference(rng, item, scene) for item in change.gone)
            return pick(rng, SWAP_WAYS).format(old=old, other=other) + _again(rng, back)
        case EditKind.REPLACE | EditKind.RECOLOUR | EditKind.REPATTERN | EditKind.RESIZE | EditKind.MOVE:
            return _thing_words(rng, change, scene) + _again(rng, back)
    assert_never(change.kind)


def _again(rng: Generator, back: bool) -> str:
    return pick(rng, AGAIN) if back else ""


def _thing_words(rng: Generator, change: Change, scene: Scene) -> str:
    item, after = change.gone[0], change.come[0]
    old = reference(rng, item, scene)
    match change.kind:
        case EditKind.REPLACE:
            is_kept = (item.colour, item.pattern) == (after.colour, after.pattern)
            pattern = None if is_kept or after.pattern is Pattern.PLAIN else after.pattern
            new = indefinite(rng, Mention(after.kind, None if is_kept else after.colour, pattern))
            return pick(rng, REPLACE_WAYS).format(old=old, new=new)
        case EditKind.RECOLOUR:
            return pick(rng, COLOUR_WAYS).format(old=old, word=pick(rng, COLOUR_WORDS[after.colour]))
        case EditKind.REPATTERN:
            return _pattern_words(rng, old, item.pattern, after.pattern)
        case EditKind.RESIZE:
            return _size_words(rng, old, item, after)
        case _:
            return pick(rng, MOVE_WAYS).format(old=old, to=_aim(rng, change, scene))


def _pattern_words(rng: Generator, old: str, before: Pattern, after: Pattern) -> str:
    if after is Pattern.PLAIN:
        return pick(rng, PLAIN_WAYS).format(old=old, noun=pick(rng, PATTERN_NOUNS[before]))
    if rng.random() < 0.4:
        return pick(rng, PATTERN_NOUN_WAYS).format(old=old, noun=pick(rng, PATTERN_NOUNS[after]))
    return pick(rng, PATTERN_WAYS).format(old=old, word=pick(rng, PATTERN_WORDS[after]))


def _size_words(rng: Generator, old: str, before: Thing, after: Thing) -> str:
    """Relative words for one step, the name of the size for any."""
    steps = SIZES.index(after.size) - SIZES.index(before.size)
    if abs(steps) == 1 and rng.random() < 0.5:
        return pick(rng, BIGGER if steps > 0 else SMALLER).format(old=old)
    return pick(rng, SIZE_WAYS).format(old=old, word=pick(rng, SIZE_WORDS[after.size]))


def _add_words(rng: Generator, change: Change, scene: Scene, *, back: bool) -> str:
    said = change.said
    if said is None:
        raise ValueError("an added thing needs words")
    new = indefinite(rng, said)
    way = pick(rng, BRING_WAYS if back else ADD_WAYS)
    text = way.format(new=new)
    if change.beside is not None:
        relation, neighbour = change.beside
        return f"{text} {pick(rng, RELATION_WORDS[relation])} {reference(rng, neighbour, scene)}"
    return placed(rng, text, said.place)


def _aim(rng: Generator, change: Change, scene: Scene) -> str:
    if change.beside is not None:
        relation, neighbour = change.beside
        return f"{pick(rng, RELATION_WORDS[relation])} {reference(rng, neighbour, scene)}"
    place = place_of(change.come[0], scene.canvas)
    if place is None:
        raise ValueError("a moved thing needs a place")
    return pick(rng, TO[place])


def _setting_words(rng: Generator, change: Change, before: Setting, *, back: bool) -> str:
    after = change.setting
    if after is None:
        raise ValueError(f"a change of the {change.kind} needs a setting")
    match change.kind:
        case EditKind.SCENERY:
            noun = pick(rng, SCENERY_NOUNS[after.scenery])
            ways = BACK_WAYS[:2] if back else SCENERY_WAYS
            return pick(rng, ways).format(noun=noun, where=pick(rng, WHERE[after.scenery]))
        case EditKind.TIME:
            noun = pick(rng, TIME_NOUNS[after.time])
            return pick(rng, BACK_WAYS if back else TIME_WAYS).format(
                noun=noun, when=pick(rng, WHEN[after.time])
            )
        case _:
            return _weather_words(rng, before.weather, after.weather) + _again(rng, back)


def _weather_words(rng: Generator, before: Weather, after: Weather) -> str:
    falling = {Weather.RAIN: "rain", Weather.SNOW: "snow"}
    chance = rng.random()
    if after is Weather.CLEAR and before in falling and chance < 0.5:
        return pick(rng, STOP_WAYS).format(noun=falling[before])
    if after in falling and chance < 0.5:
        return pick(rng, RAIN_WAYS if after is Weather.RAIN else SNOW_WAYS)
    return pick(rng, WEATHER_WAYS).format(word=pick(rng, WEATHER_WORDS[after]), sky=pick(rng, SKY[after]))
