"""A scene: what stands where, before a background, in which depth order."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from training.scenes.world import CELL, PLACES, Background, Colour, Kind, Place, Relation, Size

DEFAULT_CELLS: Final = 8
"""Token cells along a side of a picture of 64 pixels; 12 make 96 pixels."""


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One object; its square box starts at cell (row, column) and spans `size.cells` cells."""

    kind: Kind
    colour: Colour
    size: Size
    row: int
    column: int

    @property
    def foot(self) -> int:
        """The row of cells right below the object; who stands lower stands nearer."""
        return self.row + self.size.cells

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column of the box's middle, in cells."""
        return self.row + self.size.cells / 2, self.column + self.size.cells / 2

    @property
    def box(self) -> tuple[slice, slice]:
        """The rows and columns of pixels that the box covers."""
        top, left, side = self.row * CELL, self.column * CELL, self.size.pixels
        return slice(top, top + side), slice(left, left + side)

    def overlaps(self, other: "SceneObject") -> bool:
        """Whether the two boxes share a cell."""
        return (
            self.row < other.foot
            and other.row < self.foot
            and self.column < other.column + other.size.cells
            and other.column < self.column + self.size.cells
        )

    def place(self, cells: int) -> Place | None:
        """The name of where it stands, if that place has one."""
        return next((p for p in PLACES if p.corner(self.size, cells) == (self.row, self.column)), None)

    def at(self, place: Place, cells: int) -> "SceneObject":
        """The same object moved to a named place of a picture of `cells` x `cells` cells."""
        row, column = place.corner(self.size, cells)
        return replace(self, row=row, column=column)


@dataclass(frozen=True, slots=True)
class Scene:
    """A complete description of a picture.

    objects: from the farthest to the nearest; build scenes with `Scene.of`, which sorts them.
    """

    background: Background
    objects: tuple[SceneObject, ...]
    cells: int = DEFAULT_CELLS

    @classmethod
    def of(
        cls, background: Background, objects: Iterable[SceneObject], cells: int = DEFAULT_CELLS
    ) -> "Scene":
        """The scene with its objects in depth order: by foot, then from left to right."""
        ordered = sorted(objects, key=lambda item: (item.foot, item.column, item.row))
        return cls(background, tuple(ordered), cells)

    @property
    def pixels(self) -> int:
        """Side of the picture."""
        return self.cells * CELL

    @property
    def horizon(self) -> int:
        """The first row of cells of the ground; objects at a middle place stand right on it."""
        return self.cells // 2 + 1


def holds(relation: Relation, first: SceneObject, second: SceneObject) -> bool:
    """Whether `first` stands so to `second`.

    Sideways and upright relations need centres at least a cell apart in that direction, and a direction
    within 63 degrees of it, about what GenEval asks for (Ghosh et al. 2023, section 3).
    """
    down = second.centre[0] - first.centre[0]
    right = second.centre[1] - first.centre[1]
    match relation:
        case Relation.LEFT_OF:
            return right >= max(1, abs(down) / 2)
        case Relation.RIGHT_OF:
            return -right >= max(1, abs(down) / 2)
        case Relation.ABOVE:
            return down >= max(1, abs(right) / 2)
        case Relation.BELOW:
            return -down >= max(1, abs(right) / 2)
        case Relation.IN_FRONT_OF:
            return first.overlaps(second) and first.foot > second.foot
