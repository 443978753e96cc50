"""Put descriptions into plain English with varied wording: 'two red cats and a striped boat at sunset'."""

from typing import Final

from numpy.random import Generator

from training.world.descriptions import Description, Mention
from training.world.layout import pick
from training.world.lexicon import (
    COLOUR_WORDS,
    NAMES,
    NUMBERS,
    PATTERN_NOUNS,
    PATTERN_WORDS,
    RELATION_WORDS,
    SCENERY_NOUNS,
    SIZE_WORDS,
    SKY,
    WEATHER_WORDS,
    WHEN,
    WHERE,
    plural,
)
from training.world.nouns import Kind, Relation, Scenery
from training.world.scene import Place

AT: Final[dict[Place, tuple[str, ...]]] = {
    Place.TOP_LEFT: ("at the top left", "in the top left corner", "in the upper left corner"),
    Place.TOP: ("at the top", "at the top in the middle", "in the background in the middle"),
    Place.TOP_RIGHT: ("at the top right", "in the top right corner", "in the upper right corner"),
    Place.LEFT: ("on the left", "at the left", "on the left side"),
    Place.MIDDLE: ("in the middle", "in the centre", "in the center"),
    Place.RIGHT: ("on the right", "at the right", "on the right side"),
    Place.BOTTOM_LEFT: ("at the bottom left", "in the bottom left corner", "in the lower left corner"),
    Place.BOTTOM: ("at the bottom", "at the bottom in the middle", "in the foreground in the middle"),
    Place.BOTTOM_RIGHT: ("at the bottom right", "in the bottom right corner", "in the lower right corner"),
}
OPENERS: Final = (
    "",
    "",
    "",
    "a picture of ",
    "an image of ",
    "a drawing of ",
    "draw ",
    "paint ",
    "show me ",
    "please draw ",
    "there is ",
    "i want ",
    "a scene with ",
)
WITHOUT: Final = ("without {noun}", "with no {noun}", "but no {noun}", "and no {noun}")
NOTHING: Final = ("with nothing in it", "that is empty")
_ONE_SHARE: Final = 0.06
"""Share of single things that are counted: 'one cat'."""
_THIS: Final = ("this", "the same", "that")


def caption(rng: Generator, said: Description) -> str:
    """A prompt for a description."""
    if not said.mentions:
        return finish(rng, pick(rng, OPENERS) + _empty(rng, said))
    phrases = [placed(rng, indefinite(rng, mention), mention.place) for mention in said.mentions]
    if said.relation is None:
        body = listed(phrases)
    elif said.relation is Relation.BETWEEN:
        body = f"{phrases[0]} {pick(rng, RELATION_WORDS[said.relation])} {phrases[1]} and {phrases[2]}"
    else:
        body = f"{phrases[0]} {pick(rng, RELATION_WORDS[said.relation])} {phrases[1]}"
    for kind in said.absent:
        body += " " + without(rng, kind)
    around = surroundings(rng, said)
    if around and rng.random() < 0.2:
        return finish(rng, f"{around}, {body}")
    return finish(rng, f"{pick(rng, OPENERS)}{body} {around}".rstrip())


def subject_caption(rng: Generator, said: Description) -> str:
    """A prompt that refers to the thing in the given picture: 'this owl in the snow'."""
    subject, *others = said.mentions
    phrases = [placed(rng, f"{pick(rng, _THIS)} {pick(rng, NAMES[subject.kind])}", subject.place)]
    phrases += [placed(rng, indefinite(rng, mention), mention.place) for mention in others]
    return finish(rng, f"{listed(phrases)} {surroundings(rng, said)}".rstrip())


def indefinite(rng: Generator, mention: Mention) -> str:
    """The indefinite noun phrase of a mention: 'a small red ball', 'three stripy fish'."""
    before, after = adjectives(rng, mention)
    name = pick(rng, NAMES[mention.kind])
    if mention.count > 1:
        return " ".join((pick(rng, NUMBERS[mention.count]), *before, plural(name), *after))
    phrase = " ".join((*before, name, *after))
    if rng.random() < _ONE_SHARE:
        return f"{pick(rng, NUMBERS[1])} {phrase}"
    return f"{article(phrase)} {phrase}"


def definite(rng: Generator, mention: Mention) -> str:
    """The definite noun phrase of a mention: 'the large red ball'."""
    before, after = adjectives(rng, mention)
    return " ".join(("the", *before, pick(rng, NAMES[mention.kind]), *after))


def adjectives(rng: Generator, mention: Mention) -> tuple[list[str], list[str]]:
    """Words before the noun in any order, and words after it."""
    before: list[str] = []
    after: list[str] = []
    if mention.size is not None:
        before.append(pick(rng, SIZE_WORDS[mention.size]))
    if mention.colour is not None:
        before.append(pick(rng, COLOUR_WORDS[mention.colour]))
    if mention.pattern is not None:
        nouns = PATTERN_NOUNS[mention.pattern]
        if nouns and rng.random() < 0.3:
            after += ["with", pick(rng, nouns)]
        else:
            before.append(pick(rng, PATTERN_WORDS[mention.pattern]))
    if len(before) > 1 and rng.random() < 0.3:
        before = [before[place] for place in rng.permutation(len(before))]
    return before, after


def surroundings(rng: Generator, said: Description) -> str:
    """Scenery, time and weather, as far as they are said: 'on the beach at night in the rain'."""
    parts: list[str] = []
    if said.scenery is not None:
        parts.append(pick(rng, WHERE[said.scenery]))
    if said.time is not None:
        parts.append(pick(rng, WHEN[said.time]))
    if said.weather is not None:
        parts.append(pick(rng, SKY[said.weather]))
    if len(parts) > 1 and rng.random() < 0.3:
        parts = [parts[place] for place in rng.permutation(len(parts))]
    return " ".join(parts)


def without(rng: Generator, kind: Kind) -> str:
    """Words that exclude a kind: 'without a dog', 'but no trees'."""
    name = pick(rng, NAMES[kind])
    way = pick(rng, WITHOUT)
    if rng.random() < 0.5:
        return way.format(noun=plural(name))
    return way.format(noun=f"{article(name)} {name}" if way.startswith("without") else name)


def placed(rng: Generator, phrase: str, place: Place | None) -> str:
    """The phrase with its place: 'a red ball in the middle'."""
    return phrase if place is None else f"{phrase} {pick(rng, AT[place])}"


def listed(phrases: list[str]) -> str:
    """Join phrases to 'a, b and c'."""
    *firsts, last = phrases
    return f"{', '.join(firsts)} and {last}" if firsts else last


def article(phrase: str) -> str:
    return "an" if phrase[0] in "aeiou" else "a"


def finish(rng: Generator, text: str) -> str:
    """The text as somebody may write it: sometimes with a capital letter or a full stop."""
    if rng.random() < 0.12:
        text = text[0].upper() + text[1:]
    return text + "." if rng.random() < 0.1 else text


def _empty(rng: Generator, said: Description) -> str:
    """An empty scene: 'an empty beach at night', 'a rainy city with nothing in it'."""
    if said.scenery is None:
        raise ValueError("the description of an empty scene needs a scenery")
    noun = pick(rng, SCENERY_NOUNS[said.scenery])
    bare = noun.removeprefix("a ").removeprefix("the ")
    words = ["empty"] if rng.random() < 0.5 else []
    sky = ""
    if said.weather is not None:
        if rng.random() < 0.5:
            words.append(pick(rng, WEATHER_WORDS[said.weather]))
        else:
            sky = pick(rng, SKY[said.weather])
    when = pick(rng, WHEN[said.time]) if said.time is not None else ""
    ending = "" if words[:1] == ["empty"] else pick(rng, NOTHING)
    phrase = " ".join((*words, bare))
    if said.scenery not in {Scenery.MOUNTAINS, Scenery.ICE, Scenery.SEA}:
        phrase = f"{article(phrase)} {phrase}"
    return " ".join(part for part in (phrase, ending, when, sky) if part)
