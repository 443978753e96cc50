"""Random scenes: which objects they show, and where.

Objects stand at the nine named places. A picture of 8 x 8 cells has 85 possible positions; the nine have
names for prompts, have few different gaps between them, and never put an object across the horizon. Only
pairs in which one object is in front of the other stand elsewhere.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import TypeVar

from numpy.random import Generator

from training.scenes.scene import DEFAULT_CELLS, Scene, SceneObject, holds
from training.scenes.splits import Split, is_new_object, is_new_pair
from training.scenes.world import COLOURS, KINDS, PLACES, SCENERIES, SIZES, Background, Relation

MOST_OBJECTS = 4
_OVERLAP_SHARE = 0.1
_TRIES = 40

Item = TypeVar("Item")


class Novelty(Enum):
    """Held-out combination that a scene shows."""

    NOTHING = "nothing"
    OBJECT = "object"
    PAIR = "pair"


def pick(rng: Generator, items: Sequence[Item]) -> Item:
    """A random item; all are equally likely."""
    return items[int(rng.random() * len(items))]


def draw_novelty(rng: Generator, split: Split, objects: int) -> Novelty:
    """The held-out combination for a scene with `objects` objects in this split."""
    if split == "train":
        return Novelty.NOTHING
    return pick(rng, (Novelty.OBJECT, Novelty.PAIR)) if objects > 1 else Novelty.OBJECT


def draw_object(rng: Generator, *, new: bool = False) -> SceneObject:
    """A random object at cell (0, 0). new: whether its kind and colour are a held-out pair."""
    while True:
        kind, colour = pick(rng, KINDS), pick(rng, COLOURS)
        if is_new_object(kind, colour) == new:
            return SceneObject(kind, colour, pick(rng, SIZES), 0, 0)


def draw_objects(rng: Generator, count: int, novelty: Novelty) -> list[SceneObject]:
    """Random objects that differ in kind or colour, all at cell (0, 0).

    With OBJECT the first object is held out, with PAIR the first two kinds are; nothing else is.
    """
    objects = [draw_object(rng, new=novelty is Novelty.OBJECT)]
    while len(objects) < count:
        wants_new_pair = novelty is Novelty.PAIR and len(objects) == 1
        candidate = draw_object(rng)
        looks_new = all((o.kind, o.colour) != (candidate.kind, candidate.colour) for o in objects)
        new_pairs = [is_new_pair(o.kind, candidate.kind) for o in objects]
        if looks_new and any(new_pairs) == wants_new_pair:
            objects.append(candidate)
    return objects


def scatter(rng: Generator, objects: Sequence[SceneObject], cells: int) -> list[SceneObject] | None:
    """The objects at random named places without overlap, or None if all attempts failed."""
    for _ in range(_TRIES):
        placed: list[SceneObject] = []
        for item in objects:
            spot = item.at(pick(rng, PLACES), cells)
            if any(spot.overlaps(other) for other in placed):
                break
            placed.append(spot)
        else:
            return placed
    return None


def stand_in_front(
    rng: Generator, front: SceneObject, back: SceneObject, cells: int
) -> tuple[SceneObject, SceneObject]:
    """Both objects, with the first one cell nearer and hiding one column of the second one's cells."""
    while True:
        back = back.at(pick(rng, PLACES), cells)
        shift = pick(rng, (back.size.cells - 1, 1 - front.size.cells))
        front = replace(front, row=back.foot + 1 - front.size.cells, column=back.column + shift)
        if front.row >= 0 and front.foot <= cells and 0 <= front.column <= cells - front.size.cells:
            return front, back


def draw_related(
    rng: Generator, relation: Relation, first: SceneObject, second: SceneObject, cells: int
) -> tuple[SceneObject, SceneObject]:
    """Both objects, at random places where the first has this relation to the second."""
    if relation is Relation.IN_FRONT_OF:
        return stand_in_front(rng, first, second, cells)
    while True:
        first, second = first.at(pick(rng, PLACES), cells), second.at(pick(rng, PLACES), cells)
        if not first.overlaps(second) and holds(relation, first, second):
            return first, second


def draw_background(rng: Generator) -> Background:
    """A random background."""
    return pick(rng, SCENERIES)


def draw_scene(
    rng: Generator,
    split: Split,
    *,
    count: int | None = None,
    overlap: bool = True,
    cells: int = DEFAULT_CELLS,
) -> Scene:
    """A random scene; one in ten scenes with two objects has them overlap, unless `overlap` is False."""
    while True:
        number = 1 + int(rng.random() * MOST_OBJECTS) if count is None else count
        objects = draw_objects(rng, number, draw_novelty(rng, split, number))
        if overlap and number == 2 and rng.random() < _OVERLAP_SHARE:
            objects = [*stand_in_front(rng, objects[0], objects[1], cells)]
        elif (placed := scatter(rng, objects, cells)) is not None:
            objects = placed
        else:
            continue
        return Scene.of(draw_background(rng), objects, cells)
