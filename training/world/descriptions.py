"""The content of a prompt about a scene, and whether a scene matches it.

The same description is put into words for the model and checked by the judge.
"""

from dataclasses import dataclass

from training.world.nouns import Colour, Kind, Pattern, Relation, Scenery, Size, Time, Weather
from training.world.scene import Canvas, Place, Scene, Thing, holds, stand


@dataclass(frozen=True, slots=True)
class Mention:
    """One noun phrase; properties that it does not mention are None.

    count: 1 requires at least one thing, a larger number exactly that many.
    """

    kind: Kind
    colour: Colour | None = None
    pattern: Pattern | None = None
    size: Size | None = None
    place: Place | None = None
    count: int = 1

    def means(self, item: Thing, canvas: Canvas) -> bool:
        """Whether the phrase can refer to this thing."""
        return (
            item.kind is self.kind
            and self.colour in {None, item.colour}
            and self.pattern in {None, item.pattern}
            and self.size in {None, item.size}
            and (self.place is None or _is_at(item, self.place, canvas))
        )


@dataclass(frozen=True, slots=True)
class Description:
    """Content of a prompt.

    relation: of the first mentioned thing to the second one, or to the second and the third.
    absent: kinds that the picture must not show.
    """

    mentions: tuple[Mention, ...]
    relation: Relation | None = None
    scenery: Scenery | None = None
    time: Time | None = None
    weather: Weather | None = None
    absent: tuple[Kind, ...] = ()

    @property
    def names_colours(self) -> bool:
        """Whether every mention has a colour."""
        return all(mention.colour is not None for mention in self.mentions)

    def fits(self, scene: Scene) -> bool:
        """Whether the scene shows everything that the description says."""
        setting = scene.setting
        if self.scenery not in {None, setting.scenery}:
            return False
        if self.time not in {None, setting.time} or self.weather not in {None, setting.weather}:
            return False
        if any(item.kind in self.absent for item in scene.things):
            return False
        meant = [[o for o in scene.things if mention.means(o, scene.canvas)] for mention in self.mentions]
        for mention, found in zip(self.mentions, meant, strict=True):
            if not found or (mention.count > 1 and len(found) != mention.count):
                return False
        return self._are_different(meant) and (self.relation is None or self._related(meant))

    def _are_different(self, meant: list[list[Thing]]) -> bool:
        """Whether there is a thing of its own for each of several mentions of single things."""
        singles = [found for mention, found in zip(self.mentions, meant, strict=True) if mention.count == 1]
        kinds = {mention.kind for mention in self.mentions if mention.count == 1}
        return len(kinds) == len(singles) or _can_choose(singles, ())

    def _related(self, meant: list[list[Thing]]) -> bool:
        relation = self.relation
        if relation is None:
            return True
        if relation is Relation.BETWEEN:
            triples = ((a, b, c) for a in meant[0] for b in meant[1] for c in meant[2])
            return any(holds(relation, *t) for t in triples if len(set(t)) == len(t))
        return any(holds(relation, a, b) for a in meant[0] for b in meant[1] if a is not b)


def mention_of(item: Thing, scene: Scene) -> Mention:
    """The shortest phrase that refers to this thing and to no other in the scene.

    There is one in every scene whose things all differ in kind or colour.
    """
    by_kind = Mention(item.kind)
    alone = sum(by_kind.means(other, scene.canvas) for other in scene.things) == 1
    return by_kind if alone else Mention(item.kind, item.colour)


def _is_at(item: Thing, place: Place, canvas: Canvas) -> bool:
    slot = place.slot(canvas)
    return slot is not None and stand(item.look, slot, canvas) == item


def _can_choose(groups: list[list[Thing]], taken: tuple[Thing, ...]) -> bool:
    """Whether one thing can be chosen from each group, all different."""
    if not groups:
        return True
    first, *rest = groups
    return any(_can_choose(rest, (*taken, item)) for item in first if item not in taken)
