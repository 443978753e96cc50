"""Edits of a scene, each with the exact scene that results."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, assert_never

from numpy.random import Generator

from training.world.descriptions import Mention
from training.world.layout import draw_look, most_things, pick, with_look
from training.world.nature import NATURAL
from training.world.nouns import (
    COLOURS,
    PATTERNS,
    SCENERIES,
    SIZES,
    TIMES,
    WEATHERS,
    Pattern,
    Relation,
)
from training.world.scene import SLOT, Scene, Setting, Slot, Thing, place_of, slots_of, stand


class EditKind(StrEnum):
    """Kind of a change."""

    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"
    RECOLOUR = "recolour"
    REPATTERN = "repattern"
    RESIZE = "resize"
    MOVE = "move"
    SWAP = "swap"
    SCENERY = "scenery"
    TIME = "time of day"
    WEATHER = "weather"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a scene.

    gone, come: the things that it takes away and puts in their place, in the same order where both have one.
    setting: the new setting, if it changes.
    said: what the instruction says about an added thing; None for other changes. Without a place in it the
    new thing may stand anywhere.
    beside: the thing that the instruction names the new place by, and the relation to it.
    """

    kind: EditKind
    gone: tuple[Thing, ...] = ()
    come: tuple[Thing, ...] = ()
    setting: Setting | None = None
    said: Mention | None = None
    beside: tuple[Relation, Thing] | None = None

    @property
    def is_anywhere(self) -> bool:
        """Whether the instruction leaves it open where the new thing stands."""
        return self.said is not None and self.said.place is None and self.beside is None

    @property
    def is_definite(self) -> bool:
        """Whether there is one right result: the words leave neither place nor colour nor size open."""
        said = self.said
        return said is None or (not self.is_anywhere and said.colour is not None and said.size is not None)

    def apply(self, scene: Scene) -> Scene:
        """The scene after the change; everything else stays as it is."""
        things = [item for item in scene.things if item not in self.gone]
        return Scene.of(self.setting or scene.setting, (*things, *self.come), scene.canvas)

    def reverse(self, scene: Scene) -> "Change":
        """The change that leads back to `scene`, which this one started from."""
        setting = None if self.setting is None else scene.setting
        match self.kind:
            case EditKind.ADD:
                return Change(EditKind.REMOVE, gone=self.come)
            case EditKind.REMOVE:
                item = self.gone[0]
                said = Mention(item.kind, item.colour, item.pattern, item.size, place_of(item, scene.canvas))
                return Change(EditKind.ADD, come=self.gone, said=said)
            case _:
                return Change(self.kind, self.come, self.gone, setting)


def draw_change(rng: Generator, kind: EditKind, scene: Scene, *, new: bool = False) -> Change | None:
    """A random change of this kind, or None if the drawn one is not possible in the scene.

    new: whether an added or replaced thing must be a held-out pair of kind and colour.
    """
    match kind:
        case EditKind.SCENERY | EditKind.TIME | EditKind.WEATHER:
            return _change_setting(rng, kind, scene.setting)
        case EditKind.ADD:
            change = _add(rng, scene, new=new)
        case EditKind.SWAP:
            change = _swap(rng, scene)
        case _:
            change = (
                _change_thing(rng, kind, pick(rng, scene.things), scene, new=new) if scene.things else None
            )
    return change if change is not None and _is_clear(change, scene) else None


def _change_setting(rng: Generator, kind: EditKind, setting: Setting) -> Change:
    if kind is EditKind.SCENERY:
        others = [scenery for scenery in SCENERIES if scenery is not setting.scenery]
        return Change(kind, setting=replace(setting, scenery=pick(rng, others)))
    if kind is EditKind.TIME:
        times = [time for time in TIMES if time is not setting.time]
        return Change(kind, setting=replace(setting, time=pick(rng, times)))
    weathers = [weather for weather in WEATHERS if weather is not setting.weather]
    return Change(kind, setting=replace(setting, weather=pick(rng, weathers)))


def _change_thing(rng: Generator, kind: EditKind, item: Thing, scene: Scene, *, new: bool) -> Change | None:
    look = item.look
    match kind:
        case EditKind.REMOVE:
            return Change(kind, gone=(item,))
        case EditKind.REPLACE:
            other = draw_look(rng, new=new)
            keeps = not new and rng.random() < 0.4
            changed = replace(look, kind=other.kind) if keeps else replace(other, size=look.size)
            if changed.kind is look.kind:
                return None
        case EditKind.RECOLOUR:
            changed = replace(look, colour=pick(rng, COLOURS))
        case EditKind.REPATTERN:
            changed = replace(look, pattern=pick(rng, PATTERNS))
        case EditKind.RESIZE:
            changed = replace(look, size=pick(rng, SIZES))
        case EditKind.MOVE:
            return _move(rng, item, scene)
        case EditKind.ADD | EditKind.SWAP | EditKind.SCENERY | EditKind.TIME | EditKind.WEATHER:
            raise ValueError(f"a change of kind {kind} does not change one thing alone")
        case _:
            assert_never(kind)
    if changed == look:
        return None
    return Change(kind, (item,), (with_look(item, changed, scene.canvas),))


def _add(rng: Generator, scene: Scene, *, new: bool) -> Change | None:
    """A new thing: at a named place, beside another thing, or anywhere."""
    free = free_slots(scene)
    if not free or len(scene.things) >= most_things(scene.canvas):
        return None
    look = draw_look(rng, new=new)
    says_colour = new or rng.random() < 0.8
    if not says_colour:
        look = replace(look, colour=pick(rng, NATURAL[look.kind]), pattern=Pattern.PLAIN)
    says_size = rng.random() < 0.4
    said = Mention(
        look.kind,
        look.colour if says_colour else None,
        None if look.pattern is Pattern.PLAIN else look.pattern,
        look.size if says_size else None,
    )
    way = rng.random()
    if way < 0.55:
        item = stand(look, pick(rng, free), scene.canvas)
        place = place_of(item, scene.canvas)
        return Change(EditKind.ADD, come=(item,), said=replace(said, place=place))
    if way < 0.8 and scene.things:
        beside = _slot_beside(rng, pick(rng, scene.things), scene)
        if beside is None:
            return None
        relation, neighbour, slot = beside
        item = stand(look, slot, scene.canvas)
        return Change(EditKind.ADD, come=(item,), said=said, beside=(relation, neighbour))
    return Change(EditKind.ADD, come=(stand(look, pick(rng, free), scene.canvas),), said=said)


def _move(rng: Generator, item: Thing, scene: Scene) -> Change | None:
    """The thing at another named place, or next to another thing."""
    others = [other for other in scene.things if other != item]
    if others and rng.random() < 0.3:
        beside = _slot_beside(rng, pick(rng, others), scene)
        if beside is None:
            return None
        relation, neighbour, slot = beside
        moved = stand(item.look, slot, scene.canvas)
        return (
            Change(EditKind.MOVE, (item,), (moved,), beside=(relation, neighbour)) if moved != item else None
        )
    free = free_slots(scene)
    if not free:
        return None
    return Change(EditKind.MOVE, (item,), (stand(item.look, pick(rng, free), scene.canvas),))


def _swap(rng: Generator, scene: Scene) -> Change | None:
    """Two things, each in the slot of the other."""
    if len(scene.things) < 2:
        return None
    places = rng.permutation(len(scene.things))
    one, other = scene.things[places[0]], scene.things[places[1]]
    slots = one.slot(scene.canvas), other.slot(scene.canvas)
    if slots[0] is None or slots[1] is None:
        return None
    moved = stand(one.look, slots[1], scene.canvas), stand(other.look, slots[0], scene.canvas)
    return Change(EditKind.SWAP, (one, other), moved)


_STEPS: Final[dict[Relation, tuple[int, int]]] = {
    Relation.LEFT_OF: (0, -1),
    Relation.RIGHT_OF: (0, 1),
    Relation.ABOVE: (-1, 0),
    Relation.BELOW: (1, 0),
}


def _slot_beside(rng: Generator, neighbour: Thing, scene: Scene) -> tuple[Relation, Thing, Slot] | None:
    """A free slot next to a thing, with its relation to it."""
    slot = neighbour.slot(scene.canvas)
    if slot is None:
        return None
    relation = pick(rng, tuple(_STEPS))
    step = _STEPS[relation]
    aim = slot[0] + step[0], slot[1] + step[1]
    return (relation, neighbour, aim) if aim in free_slots(scene) else None


def free_slots(scene: Scene) -> list[Slot]:
    """The slots that no thing's box touches."""
    return [slot for slot in slots_of(scene.canvas) if not any(_touches(item, slot) for item in scene.things)]


def _touches(item: Thing, slot: Slot) -> bool:
    top, left = slot[0] * SLOT, slot[1] * SLOT
    return item.row < top + SLOT and top < item.foot and item.column < left + SLOT and left < item.end


def _is_clear(change: Change, scene: Scene) -> bool:
    """Whether all things of the result differ in kind or colour, and none overlaps a changed one."""
    others = [item for item in scene.things if item not in change.gone]
    for place, item in enumerate(change.come):
        rest = [*others, *change.come[:place]]
        if any(item.overlaps(other) for other in rest):
            return False
        if any((item.kind, item.colour) == (other.kind, other.colour) for other in rest):
            return False
    return True
