"""Random scenes: which things they show, and where.

Things stand in slots, squares of four by four cells. Slots have names for prompts, have few different gaps
between them, and a thing of any size fits into each. Only things in front of another one stand elsewhere.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import Final, TypeVar

from numpy.random import Generator

from training.world.nature import NATURAL
from training.world.nouns import (
    COLOURS,
    KINDS,
    PATTERNS,
    SCENERIES,
    SIZES,
    TIMES,
    WEATHERS,
    Kind,
    Pattern,
    Relation,
    Time,
    Weather,
)
from training.world.scene import Canvas, Look, Scene, Setting, Slot, Thing, holds, slots_of, stand
from training.world.splits import Split, held_out_colour, is_new_pair

MOST_THINGS: Final = 6
_OVERLAP_SHARE: Final = 0.12
_PLAIN_SHARE: Final = 0.5

Item = TypeVar("Item")


class Novelty(Enum):
    """Held-out combination that a scene shows."""

    NOTHING = "nothing"
    LOOK = "look"
    PAIR = "pair"


def pick(rng: Generator, items: Sequence[Item]) -> Item:
    """A random item; all are equally likely."""
    return items[int(rng.random() * len(items))]


def weighted(rng: Generator, shares: dict[Item, float]) -> Item:
    """A random key; its share is its probability. The shares sum to one."""
    point = rng.random()
    *firsts, last = shares
    for choice in firsts:
        point -= shares[choice]
        if point < 0:
            return choice
    return last


def draw_novelty(rng: Generator, split: Split, things: int) -> Novelty:
    """The held-out combination for a scene with `things` things in this split."""
    if split == "train":
        return Novelty.NOTHING
    return pick(rng, (Novelty.LOOK, Novelty.PAIR)) if things > 1 else Novelty.LOOK


def draw_look(rng: Generator, *, new: bool = False, natural: bool = False) -> Look:
    """A random look. new: its kind and colour are a held-out pair. natural: a plain one as in nature."""
    kind = pick(rng, KINDS)
    if natural and not new:
        return Look(kind, pick(rng, NATURAL[kind]), Pattern.PLAIN, pick(rng, SIZES))
    colour = held_out_colour(kind)
    while not new and colour is held_out_colour(kind):
        colour = pick(rng, COLOURS)
    pattern = Pattern.PLAIN if rng.random() < _PLAIN_SHARE else pick(rng, PATTERNS)
    return Look(kind, colour, pattern, pick(rng, SIZES))


def draw_looks(rng: Generator, count: int, novelty: Novelty, *, natural: bool = False) -> list[Look]:
    """Random looks that differ in kind or colour.

    With LOOK the first thing is held out, with PAIR the first two kinds are; nothing else is.
    """
    looks = [draw_look(rng, new=novelty is Novelty.LOOK, natural=natural)] if count else []
    while len(looks) < count:
        wants_new_pair = novelty is Novelty.PAIR and len(looks) == 1
        candidate = draw_look(rng, natural=natural)
        differs = all((each.kind, each.colour) != (candidate.kind, candidate.colour) for each in looks)
        new_pairs = [is_new_pair(each.kind, candidate.kind) for each in looks]
        if differs and any(new_pairs) == wants_new_pair:
            looks.append(candidate)
    return looks


def scatter(
    rng: Generator, looks: Sequence[Look], canvas: Canvas, *, avoid: Sequence[Slot] = ()
) -> list[Thing]:
    """The things in random slots of their own. Raises ValueError if the canvas has too few."""
    free = [slot for slot in slots_of(canvas) if slot not in avoid]
    if len(free) < len(looks):
        raise ValueError(f"{len(looks)} things do not fit into {len(free)} slots of {canvas}")
    order = rng.permutation(len(free))
    return [stand(look, free[place], canvas) for look, place in zip(looks, order, strict=False)]


def most_things(canvas: Canvas) -> int:
    """The largest number of things that scenes on this canvas have."""
    return min(MOST_THINGS, len(slots_of(canvas)))


def stand_in_front(rng: Generator, front: Look, back: Look, canvas: Canvas) -> tuple[Thing, Thing]:
    """Both things, with the first one cell nearer and hiding a part of the second one's box."""
    hidden = max(1, min(front.size.cells, back.size.cells) // 2)
    while True:
        behind = stand(back, pick(rng, slots_of(canvas)), canvas)
        shift = pick(rng, (behind.size.cells - hidden, hidden - front.size.cells))
        before = Thing(front, behind.foot + 1 - front.size.cells, behind.column + shift)
        if (
            before.row >= 0
            and before.foot <= canvas.rows
            and before.column >= 0
            and before.end <= canvas.columns
        ):
            return before, behind


def draw_related(
    rng: Generator, relation: Relation, looks: Sequence[Look], canvas: Canvas
) -> list[Thing] | None:
    """The things at random places where the first has this relation to the others.

    None if the canvas has no such places: nothing is between two things in a picture with two by two slots.
    """
    match relation:
        case Relation.IN_FRONT_OF:
            return list(stand_in_front(rng, looks[0], looks[1], canvas))
        case Relation.BEHIND:
            return list(reversed(stand_in_front(rng, looks[1], looks[0], canvas)))
        case Relation.BETWEEN:
            rows, columns = canvas.slots
            across, down = columns > 2, rows > 2
            if not across and not down:
                return None
            is_across = across and (not down or rng.random() < 0.7)
            line = int(rng.random() * (rows if is_across else columns))
            ends = pick(rng, ((0, 2), (2, 0)))
            slots = [(line, at) if is_across else (at, line) for at in (1, *ends)]
            return [stand(look, slot, canvas) for look, slot in zip(looks, slots, strict=True)]
        case _:
            while True:
                placed = scatter(rng, looks, canvas)
                if holds(relation, *placed):
                    return placed


def draw_setting(rng: Generator) -> Setting:
    """A random setting; clear days are more frequent than any other time and weather."""
    time = Time.DAY if rng.random() < 0.4 else pick(rng, TIMES)
    weather = Weather.CLEAR if rng.random() < 0.4 else pick(rng, WEATHERS)
    return Setting(pick(rng, SCENERIES), time, weather)


def draw_scene(
    rng: Generator, split: Split, canvas: Canvas, *, count: int | None = None, overlap: bool = True
) -> Scene:
    """A random scene; some scenes with two things have them overlap, unless `overlap` is False."""
    number = 1 + int(rng.random() * most_things(canvas)) if count is None else count
    looks = draw_looks(rng, number, draw_novelty(rng, split, number), natural=rng.random() < 0.25)
    if overlap and number == 2 and rng.random() < _OVERLAP_SHARE:
        things: Sequence[Thing] = stand_in_front(rng, looks[0], looks[1], canvas)
    else:
        things = scatter(rng, looks, canvas)
    return Scene.of(draw_setting(rng), things, canvas)


def with_look(item: Thing, look: Look, canvas: Canvas) -> Thing:
    """The thing with another look, in the same slot; a thing between slots keeps its foot and column."""
    slot = item.slot(canvas)
    if slot is not None:
        return stand(look, slot, canvas)
    return replace(item, look=look, row=item.foot - look.size.cells)


def kinds_in(scene: Scene) -> set[Kind]:
    """The kinds that a scene shows."""
    return {item.kind for item in scene.things}
