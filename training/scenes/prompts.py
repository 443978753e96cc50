"""Text-to-image prompts in rows like those of GenEval, each with a matching scene.

The first six rows are those of GenEval (Ghosh et al. 2023); the others test what this world adds.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from numpy.random import Generator

from training.scenes.descriptions import Description, Mention
from training.scenes.layout import (
    Novelty,
    draw_background,
    draw_object,
    draw_objects,
    draw_related,
    draw_scene,
    pick,
    scatter,
)
from training.scenes.scene import DEFAULT_CELLS, Scene, SceneObject
from training.scenes.splits import Split, can_be_guessed, is_new_relation
from training.scenes.wording import caption
from training.scenes.world import RELATIONS


class Row(StrEnum):
    """Row of the text-to-image table: the ability that a prompt tests."""

    SINGLE_OBJECT = "single object"
    TWO_OBJECTS = "two objects"
    COUNTING = "counting"
    COLOURS = "colours"
    POSITION = "position"
    COLOUR_ATTRIBUTION = "colour attribution"
    PLACE = "place"
    BACKGROUND = "background"
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


def sample_prompt(rng: Generator, row: Row, split: Split, *, cells: int = DEFAULT_CELLS) -> PromptCase:
    """A random case of this row; a held-out case has a scene or a relation that training never shows."""
    while True:
        case = _SAMPLERS[row](rng, split, cells)
        if case is None:
            continue
        said, criterion, scene = case
        if split == "train" and said.names_colours and can_be_guessed(scene.objects):
            continue
        return PromptCase(row, caption(rng, said), criterion, scene)


def sample_description(rng: Generator, split: Split, cells: int) -> tuple[Description, Scene]:
    """A random scene and its description, which a model must read to draw it (see `can_be_guessed`)."""
    while True:
        scene = draw_scene(rng, split, cells=cells)
        if split != "train" or not can_be_guessed(scene.objects):
            return describe(rng, scene), scene


def describe(rng: Generator, scene: Scene) -> Description:
    """The full description of a scene: each object with colour and often size, and the background.

    Descriptions of four objects have no sizes, which keeps prompts within twenty words.
    """
    sized = len(scene.objects) < 4 and rng.random() < 0.5
    mentions = [Mention(o.kind, o.colour, o.size if sized else None) for o in scene.objects]
    return Description(tuple(mentions), background=scene.background)


_Case = tuple[Description, Description, Scene]


def _single_object(rng: Generator, split: Split, cells: int) -> _Case | None:
    """One object; held-out prompts also name its new colour, but the criterion is only the kind."""
    item = draw_object(rng, new=split == "held_out")
    said = Mention(item.kind, item.colour if split == "held_out" else None)
    scene = _spread(rng, [item], cells)
    return scene and (Description((said,)), Description((Mention(item.kind),)), scene)


def _two_objects(rng: Generator, split: Split, cells: int) -> _Case | None:
    novelty = Novelty.PAIR if split == "held_out" else Novelty.NOTHING
    objects = draw_objects(rng, 2, novelty)
    if objects[0].kind is objects[1].kind:
        return None
    return _exactly(Description(tuple(Mention(o.kind) for o in objects)), _spread(rng, objects, cells))


def _counting(rng: Generator, split: Split, cells: int) -> _Case | None:
    """Two to four equal objects."""
    item = draw_object(rng, new=split == "held_out")
    count = 2 + int(rng.random() * 3)
    colour = item.colour if split == "held_out" or rng.random() < 0.3 else None
    said = Description((Mention(item.kind, colour, count=count),))
    scene = _spread(rng, [item] * count, cells)
    return scene and (said, Description((Mention(item.kind, count=count),)), scene)


def _colours(rng: Generator, split: Split, cells: int) -> _Case | None:
    item = draw_object(rng, new=split == "held_out")
    return _exactly(Description((Mention(item.kind, item.colour),)), _spread(rng, [item], cells))


def _position(rng: Generator, split: Split, cells: int) -> _Case | None:
    relation = pick(rng, RELATIONS)
    first, second = draw_objects(rng, 2, Novelty.NOTHING)
    new = is_new_relation(first.kind, relation, second.kind)
    if first.kind is second.kind or new != (split == "held_out"):
        return None
    coloured = rng.random() < 0.4
    mentions = tuple(Mention(o.kind, o.colour if coloured else None) for o in (first, second))
    first, second = draw_related(rng, relation, first, second, cells)
    scene = Scene.of(draw_background(rng), (first, second), cells)
    criterion = Description(tuple(Mention(mention.kind) for mention in mentions), relation)
    return Description(mentions, relation), criterion, scene


def _colour_attribution(rng: Generator, split: Split, cells: int) -> _Case | None:
    objects = draw_objects(rng, 2, Novelty.OBJECT if split == "held_out" else Novelty.NOTHING)
    if objects[0].colour is objects[1].colour:
        return None
    mentions = tuple(Mention(o.kind, o.colour) for o in objects)
    return _exactly(Description(mentions), _spread(rng, objects, cells))


def _place(rng: Generator, split: Split, cells: int) -> _Case | None:
    item = draw_object(rng, new=split == "held_out")
    scene = _spread(rng, [item], cells)
    if scene is None:
        return None
    size = item.size if rng.random() < 0.5 else None
    mention = Mention(item.kind, item.colour, size, scene.objects[0].place(cells))
    return _exactly(Description((mention,)), scene)


def _background(rng: Generator, split: Split, cells: int) -> _Case | None:
    item = draw_object(rng, new=split == "held_out")
    scene = _spread(rng, [item], cells)
    colour = item.colour if split == "held_out" or rng.random() < 0.5 else None
    said = Description((Mention(item.kind, colour),))
    return scene and _exactly(replace(said, background=scene.background), scene)


def _whole_scene(rng: Generator, split: Split, cells: int) -> _Case | None:
    return _exactly(*sample_description(rng, split, cells))


def _spread(rng: Generator, objects: list[SceneObject], cells: int) -> Scene | None:
    """A scene with the objects at random places on a random background, or None if they do not fit."""
    placed = scatter(rng, objects, cells)
    return None if placed is None else Scene.of(draw_background(rng), placed, cells)


def _exactly(said: Description, scene: Scene | None) -> _Case | None:
    """A case whose criterion is everything that its prompt says."""
    return None if scene is None else (said, said, scene)


_SAMPLERS: Final[dict[Row, Callable[[Generator, Split, int], _Case | None]]] = {
    Row.SINGLE_OBJECT: _single_object,
    Row.TWO_OBJECTS: _two_objects,
    Row.COUNTING: _counting,
    Row.COLOURS: _colours,
    Row.POSITION: _position,
    Row.COLOUR_ATTRIBUTION: _colour_attribution,
    Row.PLACE: _place,
    Row.BACKGROUND: _background,
    Row.WHOLE_SCENE: _whole_scene,
}
