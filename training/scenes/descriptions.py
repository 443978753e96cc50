"""The content of a prompt about a scene, and whether a scene matches it.

The same description is put into words for the model and checked by the judge.
"""

from dataclasses import dataclass
from itertools import product

from training.scenes.scene import Scene, SceneObject, holds
from training.scenes.world import Background, Colour, Kind, Place, Relation, Size


@dataclass(frozen=True, slots=True)
class Mention:
    """One noun phrase; properties that it does not mention are None.

    count: 1 requires at least one object, a larger number exactly that many.
    """

    kind: Kind
    colour: Colour | None = None
    size: Size | None = None
    place: Place | None = None
    count: int = 1

    def means(self, item: SceneObject, cells: int) -> bool:
        """Whether the phrase can refer to this object."""
        return (
            item.kind is self.kind
            and self.colour in {None, item.colour}
            and self.size in {None, item.size}
            and (self.place is None or self.place.corner(item.size, cells) == (item.row, item.column))
        )


@dataclass(frozen=True, slots=True)
class Description:
    """Content of a prompt: mentioned objects, relation of the first to the second, and background."""

    mentions: tuple[Mention, ...]
    relation: Relation | None = None
    background: Background | None = None

    @property
    def names_colours(self) -> bool:
        """Whether every mention has a colour."""
        return all(mention.colour is not None for mention in self.mentions)

    def fits(self, scene: Scene) -> bool:
        """Whether the scene shows everything that the description says."""
        if self.background not in {None, scene.background}:
            return False
        meant = [[o for o in scene.objects if mention.means(o, scene.cells)] for mention in self.mentions]
        for mention, found in zip(self.mentions, meant, strict=True):
            if not found or (mention.count > 1 and len(found) != mention.count):
                return False
        if self.relation is None:
            return True
        pairs = product(meant[0], meant[1])
        return any(holds(self.relation, first, second) for first, second in pairs if first is not second)


def mention_of(item: SceneObject, scene: Scene) -> Mention:
    """The shortest phrase that refers to this object and to no other in the scene.

    There is one in every scene whose objects all differ in kind or colour.
    """
    by_kind = Mention(item.kind)
    alone = sum(by_kind.means(other, scene.cells) for other in scene.objects) == 1
    return by_kind if alone else Mention(item.kind, item.colour)
