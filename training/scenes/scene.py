"""A scene: objects with their positions and depth order, on a background."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from training.scenes.world import CELL, PLACES, Background, Colour, Kind, Place, Relation, Size

DEFAULT_CELLS: Final = 8
"""Side of a default picture in cells, which is 64 pixels; 96 pixels are 12 cells."""


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
        """The row of cells just below the object; an object with a lower foot is nearer to the viewer."""
        return self.row + self.size.cells

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column of the box's centre, in cells."""
        return self.row + self.size.cells / 2, self.column + self.size.cells / 2

    @property
    def box(self) -> tuple[slice, slice]:
        """The box as rows and columns of pixels."""
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
        """The named place of the object, or None if it stands elsewhere."""
        return next((p for p in PLACES if p.corner(self.size, cells) == (self.row, self.column)), None)

    def at(self, place: Place, cells: int) -> "SceneObject":
        """The same object moved to a named place of a picture of `cells` x `cells` cells."""
        row, column = place.corner(self.size, cells)
        return replace(self, row=row, column=column)


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a picture shows.

    objects: from the farthest to the nearest; make scenes with `Scene.of`, which sorts them.
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
        """Side of the picture in pixels."""
        return self.cells * CELL

    @property
    def horizon(self) -> int:
        """The first row of cells of the ground; it is the foot of objects in the middle row of places."""
        return self.cells // 2 + 1


def holds(relation: Relation, first: SceneObject, second: SceneObject) -> bool:
    """Whether `first` has this relation to `second`.

    The four directions require centres at least one cell apart in that direction and a direction that differs
    from it by at most 63 degrees, similar to GenEval (Ghosh et al. 2023, section 3).
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
