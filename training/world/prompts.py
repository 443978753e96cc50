"""Text-to-image prompts in rows like those of GenEval, each with a matching scene.

The first six rows are those of GenEval (Ghosh et al. 2023); the others test what this world adds.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from numpy.random import Generator

from training.world.descriptions import Description, Mention
from training.world.layout import (
    Novelty,
    draw_look,
    draw_looks,
    draw_related,
    draw_scene,
    draw_setting,
    kinds_in,
    most_things,
    pick,
    scatter,
)
from training.world.nature import NATURAL
from training.world.nouns import KINDS, PATTERNS, RELATIONS, Pattern, Relation, Size, Time, Weather
from training.world.scene import Canvas, Look, Scene, Setting, place_of
from training.world.splits import Split, can_be_guessed, is_new_pair, is_new_relation
from training.world.wording import caption


class Row(StrEnum):
    """Row of the text-to-image table: the ability that a prompt tests."""

    SINGLE_OBJECT = "single object"
    TWO_OBJECTS = "two objects"
    COUNTING = "counting"
    COLOURS = "colours"
    POSITION = "position"
    COLOUR_ATTRIBUTION = "colour attribution"
    PATTERN = "pattern"
    SIZE = "size"
    PLACE = "place"
    SETTING = "setting"
    ABSENCE = "absence"
    WHOLE_SCENE = "whole scene"


GENEVAL_ROWS: Final = tuple(Row)[:6]


@dataclass(frozen=True, slots=True)
class PromptCase:
    """A prompt, a matching scene, and the criterion for pictures of this prompt.

    criterion: may require less than the prompt says, as in GenEval.
    """

    row: Row
    prompt: str
    criterion: Description
    scene: Scene


def sample_prompt(rng: Generator, row: Row, split: Split, canvas: Canvas) -> PromptCase:
    """A random case of this row; a held-out case has a scene or a relation that training never shows."""
    while True:
        case = _SAMPLERS[row](rng, split, canvas)
        if case is None:
            continue
        said, criterion, scene = case
        is_guessable = said.names_colours and can_be_guessed([item.look for item in scene.things])
        if split == "train" and is_guessable:
            continue
        return PromptCase(row, caption(rng, said), criterion, scene)


def sample_description(rng: Generator, split: Split, canvas: Canvas) -> tuple[Description, Scene]:
    """A random scene and its description, which a model must read to draw it (see `can_be_guessed`)."""
    while True:
        scene = draw_scene(rng, split, canvas)
        if split != "train" or not can_be_guessed([item.look for item in scene.things]):
            return describe(rng, scene), scene


def describe(rng: Generator, scene: Scene) -> Description:
    """The full description of a scene: things with colour and pattern, often their sizes, and the setting."""
    sized = len(scene.things) < 4 and rng.random() < 0.5
    mentions = tuple(
        Mention(
            item.kind,
            item.colour,
            None if item.pattern is Pattern.PLAIN else item.pattern,
            item.size if sized else None,
        )
        for item in scene.things
    )
    return said_of_setting(rng, Description(mentions), scene.setting, scenery=1.0)


def said_of_setting(
    rng: Generator, said: Description, setting: Setting, *, scenery: float = 0.5
) -> Description:
    """The description with scenery, time and weather; day and clear weather are rarely worth a word."""
    says_time = setting.time is not Time.DAY or rng.random() < 0.2
    says_weather = setting.weather is not Weather.CLEAR or rng.random() < 0.15
    return replace(
        said,
        scenery=setting.scenery if rng.random() < scenery else None,
        time=setting.time if says_time else None,
        weather=setting.weather if says_weather else None,
    )


_Case = tuple[Description, Description, Scene]


def unsaid(rng: Generator, look: Look, mention: Mention) -> Look:
    """The look with everything that the mention leaves out as it is by nature: no pattern, a usual colour."""
    pattern = look.pattern if mention.pattern is not None else Pattern.PLAIN
    colour = look.colour if mention.colour is not None else pick(rng, NATURAL[look.kind])
    return replace(look, pattern=pattern, colour=colour)


def _mention(look: Look, *, colour: bool = True, pattern: bool = True, size: bool = False) -> Mention:
    """A mention of a look; a pattern is said only if it has one."""
    has_pattern = pattern and look.pattern is not Pattern.PLAIN
    return Mention(
        look.kind,
        look.colour if colour else None,
        look.pattern if has_pattern else None,
        look.size if size else None,
    )


def _alone(rng: Generator, looks: list[Look], canvas: Canvas) -> Scene:
    """A scene with these things in random slots and a random setting."""
    return Scene.of(draw_setting(rng), scatter(rng, looks, canvas), canvas)


def _said_and_asked(rng: Generator, mentions: tuple[Mention, ...], scene: Scene) -> _Case:
    """A case that says the setting and asks for everything that it says, where nothing contradicts it."""
    said = said_of_setting(rng, Description(mentions), scene.setting)
    return said, said, scene


def _single_object(rng: Generator, split: Split, canvas: Canvas) -> _Case | None:
    """One thing; held-out prompts also name its new colour, but the criterion is only the kind."""
    look = draw_look(rng, new=split == "held_out")
    mention = _mention(look, colour=split == "held_out", pattern=False)
    scene = _alone(rng, [unsaid(rng, look, mention)], canvas)
    said = said_of_setting(rng, Description((mention,)), scene.setting)
    return said, Description((Mention(look.kind),)), scene


def _two_objects(rng: Generator, split: Split, canvas: Canvas) -> _Case | None:
    first, second = draw_look(rng), draw_look(rng)
    if first.kind is second.kind or is_new_pair(first.kind, second.kind) != (split == "held_out"):
        return None
    mentions = tuple(_mention(look, colour=False, pattern=False) for look in (first, second))
    looks = [unsaid(rng, look, mention) for look, mention in zip((first, second), mentions, strict=True)]
    return _said_and_asked(rng, mentions, _alone(rng, looks, canvas))


def _counting(rng: Generator, split: Split, canvas: Canvas) -> _Case | None:
    """Two to six equal things."""
    look = draw_look(rng, new=split == "held_out")
    count = 2 + int(rng.random() * (most_things(canvas) - 1))
    says_colour = split == "held_out" or rng.random() < 0.3
    mention = replace(_mention(look, colour=says_colour, pattern=False), count=count)
    scene = _alone(rng, [unsaid(rng, look, mention)] * count, canvas)
    said = said_of_setting(rng, Description((mention,)), scene.setting)
    return said, Description((Mention(look.kind, count=count),)), scene


def _colours(rng: Generator, split: Split, canvas: Canvas) -> _Case | None:
    look = replace(draw_look(rng, new=split == "held_out"), pattern=Pattern.PLAIN)
    return _said_and_asked(rng, (_mention(look),), _alone(rng, [look], canvas))


def _position(rng: Generator, split: Split, canvas: Canvas) -> _Case | None:
    relation = pick(rng, RELATIONS)
    looks = draw_looks(rng, 3 if relation is Relation.BETWEEN else 2, Novelty.NOTHING)
    kinds = [look.kind for look in looks]
    new = is_new_relation(kinds[0], relation, kinds[1])
    if len(set(kinds)) < len(kinds) or new != (split == "held_out"):
        return None
    coloured = rng.random() < 0.4
    mentions = tuple(_mention(look, colour=coloured, pattern=False) for look in looks)
    looks = [unsaid(rng, look, mention) for look, mention in zip(looks, mentions, strict=True)]
    things = draw_related(rng, relation, looks, canvas)
    if things is None:
        return None
    scene = Scene.of(draw_setting(rng), things, canvas)
    said = replace(said_of_setting(rng, Description(mentions), scene.setting), relation=relation)
    return said, Description(tuple(Mention(kind) for kind in kinds), relation), scene


def _colour_attribution(rng: Generator, split: Split, canvas: Canvas) -> _Case | None:
    looks = draw_looks(rng, 2, Novelty.LOOK if split == "held_out" else Novelty.NOTHING)
    if looks[0].colour is looks[1].colour or looks[0].kind is looks[1].kind:
        return None
    plain = [replace(look, pattern=Pattern.PLAIN) for look in looks]
    return _said_and_asked(rng, tuple(_mention(look) for look in plain), _alone(rng, plain, canvas))


def _pattern(rng: Generator, split: Split, canvas: Canvas) -> _Case | None:
    """One or two things, the first with a pattern."""
    looks = draw_looks(rng, pick(rng, (1, 2)), Novelty.LOOK if split == "held_out" else Novelty.NOTHING)
    looks[0] = replace(looks[0], pattern=pick(rng, PATTERNS[1:]))
    if len({look.kind for look in looks}) < len(looks):
        return None
    return _said_and_asked(rng, tuple(_mention(look) for look in looks), _alone(rng, looks, canvas))


def _size(rng: Generator, split: Split, canvas: Canvas) -> _Case | None:
    """One or two things with their sizes."""
    looks = draw_looks(rng, pick(rng, (1, 2)), Novelty.LOOK if split == "held_out" else Novelty.NOTHING)
    looks = [replace(look, pattern=Pattern.PLAIN) for look in looks]
    if len({look.kind for look in looks}) < len(looks) or all(look.size is Size.MEDIUM for look in looks):
        return None
    mentions = tuple(_mention(look, size=True) for look in looks)
    return _said_and_asked(rng, mentions, _alone(rng, looks, canvas))


def _place(rng: Generator, split: Split, canvas: Canvas) -> _Case | None:
    """One or two things at named places."""
    looks = draw_looks(rng, pick(rng, (1, 2)), Novelty.LOOK if split == "held_out" else Novelty.NOTHING)
    looks = [replace(look, pattern=Pattern.PLAIN) for look in looks]
    scene = _alone(rng, looks, canvas)
    mentions = tuple(replace(_mention(item.look), place=place_of(item, canvas)) for item in scene.things)
    return _said_and_asked(rng, mentions, scene)


def _setting(rng: Generator, split: Split, canvas: Canvas) -> _Case | None:
    """No thing or one in a setting of which at least two parts are said."""
    if split == "train" and rng.random() < 0.25:
        looks: list[Look] = []
    else:
        looks = [replace(draw_look(rng, new=split == "held_out"), pattern=Pattern.PLAIN)]
    scene = _alone(rng, looks, canvas)
    setting = scene.setting
    parts = pick(rng, ((True, False), (False, True), (True, True)))
    said = Description(
        tuple(_mention(look) for look in looks),
        scenery=setting.scenery,
        time=setting.time if parts[0] or setting.time is not Time.DAY else None,
        weather=setting.weather if parts[1] or setting.weather is not Weather.CLEAR else None,
    )
    return said, said, scene


def _absence(rng: Generator, split: Split, canvas: Canvas) -> _Case | None:
    """One or two things, and kinds that the prompt excludes."""
    looks = draw_looks(rng, pick(rng, (1, 2)), Novelty.LOOK if split == "held_out" else Novelty.NOTHING)
    looks = [replace(look, pattern=Pattern.PLAIN) for look in looks]
    scene = _alone(rng, looks, canvas)
    others = [kind for kind in KINDS if kind not in kinds_in(scene)]
    if len({look.kind for look in looks}) < len(looks):
        return None
    said, _, _ = _said_and_asked(rng, tuple(_mention(look) for look in looks), scene)
    said = replace(said, absent=(pick(rng, others),))
    return said, said, scene


def _whole_scene(rng: Generator, split: Split, canvas: Canvas) -> _Case | None:
    said, scene = sample_description(rng, split, canvas)
    return said, said, scene


_SAMPLERS: Final[dict[Row, Callable[[Generator, Split, Canvas], _Case | None]]] = {
    Row.SINGLE_OBJECT: _single_object,
    Row.TWO_OBJECTS: _two_objects,
    Row.COUNTING: _counting,
    Row.COLOURS: _colours,
    Row.POSITION: _position,
    Row.COLOUR_ATTRIBUTION: _colour_attribution,
    Row.PATTERN: _pattern,
    Row.SIZE: _size,
    Row.PLACE: _place,
    Row.SETTING: _setting,
    Row.ABSENCE: _absence,
    Row.WHOLE_SCENE: _whole_scene,
}
