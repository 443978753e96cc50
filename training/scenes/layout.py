"""Drawing scenes by chance: what stands in them, and where.

Objects stand at the nine named places. A picture of 8 x 8 cells would have 85 spots for an object; nine
keep the sizes of the gaps few, are what a prompt can name, and never cut an object at the horizon. Only a
pair with one object in front of the other leaves them.
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
    """What a scene shows that training never does."""

    NOTHING = "nothing"
    OBJECT = "object"
    PAIR = "pair"


def pick(rng: Generator, items: Sequence[Item]) -> Item:
    """One of the items, all equally likely."""
    return items[int(rng.random() * len(items))]


def draw_novelty(rng: Generator, split: Split, objects: int) -> Novelty:
    """What a scene of so many objects should have that is new."""
    if split == "train":
        return Novelty.NOTHING
    return pick(rng, (Novelty.OBJECT, Novelty.PAIR)) if objects > 1 else Novelty.OBJECT


def draw_object(rng: Generator, *, new: bool = False) -> SceneObject:
    """An object of chance at the first cell; `new` asks for a held-out pair of kind and colour."""
    while True:
        kind, colour = pick(rng, KINDS), pick(rng, COLOURS)
        if is_new_object(kind, colour) == new:
            return SceneObject(kind, colour, pick(rng, SIZES), 0, 0)


def draw_objects(rng: Generator, count: int, novelty: Novelty) -> list[SceneObject]:
    """Objects that differ in kind or colour, all at the first cell.

    The first is the new one with OBJECT, the first two are the new pair with PAIR; nothing else is new.
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
    """The objects at named places of chance without overlap, or None if they did not fit in some tries."""
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
    """Both objects, the first one cell nearer and hiding one column of the second's cells."""
    while True:
        back = back.at(pick(rng, PLACES), cells)
        shift = pick(rng, (back.size.cells - 1, 1 - front.size.cells))
        front = replace(front, row=back.foot + 1 - front.size.cells, column=back.column + shift)
        if front.row >= 0 and front.foot <= cells and 0 <= front.column <= cells - front.size.cells:
            return front, back


def draw_related(
    rng: Generator, relation: Relation, first: SceneObject, second: SceneObject, cells: int
) -> tuple[SceneObject, SceneObject]:
    """Both objects, placed so that the first stands to the second as told."""
    if relation is Relation.IN_FRONT_OF:
        return stand_in_front(rng, first, second, cells)
    while True:
        first, second = first.at(pick(rng, PLACES), cells), second.at(pick(rng, PLACES), cells)
        if not first.overlaps(second) and holds(relation, first, second):
            return first, second


def draw_background(rng: Generator) -> Background:
    """A scenery of chance."""
    return pick(rng, SCENERIES)


def draw_scene(
    rng: Generator,
    split: Split,
    *,
    count: int | None = None,
    overlap: bool = True,
    cells: int = DEFAULT_CELLS,
) -> Scene:
    """A whole scene of chance; a few pairs overlap unless `overlap` forbids it."""
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
