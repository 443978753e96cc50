"""A scene: things with their positions and depth order, in a setting, on a picture of a certain size."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import product
from typing import Final

from training.world.nouns import CELL, Colour, Kind, Pattern, Relation, Scenery, Size, Time, Weather


@dataclass(frozen=True, slots=True)
class Canvas:
    """Size of a picture in cells; both sides are eight or twelve."""

    rows: int
    columns: int

    @property
    def slots(self) -> tuple[int, int]:
        """Rows and columns of slots: squares of four by four cells in which the things stand."""
        return self.rows // SLOT, self.columns // SLOT

    @property
    def pixels(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.rows * CELL, self.columns * CELL

    def __str__(self) -> str:
        return f"{self.columns * CELL}x{self.rows * CELL}"


SLOT: Final = 4
"""Side of a slot in cells."""
MAIN: Final = Canvas(12, 12)
TALL, WIDE, LITTLE = Canvas(12, 8), Canvas(8, 12), Canvas(8, 8)
CANVASES: Final = (MAIN, TALL, WIDE, LITTLE)
"""All sizes that the model is trained for."""

Slot = tuple[int, int]
"""Row and column of slots."""
_INDENT: Final = {Size.SMALL: 1, Size.MEDIUM: 0, Size.LARGE: 0}
"""Free cells to the left of a thing in its slot; in the last column of slots a medium thing has one, too."""


class Place(StrEnum):
    """A named place; pictures with two rows or columns of slots have no middle in that direction."""

    TOP_LEFT = "top left"
    TOP = "top"
    TOP_RIGHT = "top right"
    LEFT = "left"
    MIDDLE = "middle"
    RIGHT = "right"
    BOTTOM_LEFT = "bottom left"
    BOTTOM = "bottom"
    BOTTOM_RIGHT = "bottom right"

    def slot(self, canvas: Canvas) -> Slot | None:
        """The slot with this name, or None if the canvas has no such place."""
        row, column = divmod(PLACES.index(self), 3)
        rows, columns = canvas.slots
        if (rows == 2 and row == 1) or (columns == 2 and column == 1):
            return None
        return min(row, rows - 1), min(column, columns - 1)


PLACES: Final = tuple(Place)


def places_of(canvas: Canvas) -> dict[Place, Slot]:
    """The named places of a canvas and their slots."""
    return {place: slot for place in PLACES if (slot := place.slot(canvas)) is not None}


def slots_of(canvas: Canvas) -> list[Slot]:
    """All slots of a canvas, row by row."""
    rows, columns = canvas.slots
    return list(product(range(rows), range(columns)))


@dataclass(frozen=True, slots=True)
class Look:
    """What a thing looks like."""

    kind: Kind
    colour: Colour
    pattern: Pattern
    size: Size


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing; its square box starts at cell (row, column) and spans `size.cells` cells."""

    look: Look
    row: int
    column: int

    @property
    def kind(self) -> Kind:
        return self.look.kind

    @property
    def colour(self) -> Colour:
        return self.look.colour

    @property
    def pattern(self) -> Pattern:
        return self.look.pattern

    @property
    def size(self) -> Size:
        return self.look.size

    @property
    def foot(self) -> int:
        """The row of cells just below the thing; a thing with a lower foot is nearer to the viewer."""
        return self.row + self.size.cells

    @property
    def end(self) -> int:
        """The column of cells just to the right of the thing."""
        return self.column + self.size.cells

    @property
    def centre(self) -> tuple[float, float]:
        """Row and column of the box's centre, in cells."""
        return self.row + self.size.cells / 2, self.column + self.size.cells / 2

    @property
    def box(self) -> tuple[slice, slice]:
        """The box as rows and columns of pixels."""
        return slice(self.row * CELL, self.foot * CELL), slice(self.column * CELL, self.end * CELL)

    def overlaps(self, other: "Thing") -> bool:
        """Whether the two boxes share a cell."""
        return (
            self.row < other.foot
            and other.row < self.foot
            and self.column < other.end
            and other.column < self.end
        )

    def slot(self, canvas: Canvas) -> Slot | None:
        """The slot that the thing stands in, or None if it stands between slots."""
        slot = (self.foot - 1) // SLOT, self.column // SLOT
        return slot if stand(self.look, slot, canvas) == self else None


def stand(look: Look, slot: Slot, canvas: Canvas) -> Thing:
    """A thing that stands in a slot: at its bottom, small and medium ones near to its middle."""
    row, column = slot
    indent = _INDENT[look.size]
    if look.size is Size.MEDIUM and column == canvas.slots[1] - 1:
        indent = 1
    return Thing(look, (row + 1) * SLOT - look.size.cells, column * SLOT + indent)


def place_of(item: Thing, canvas: Canvas) -> Place | None:
    """The name of the slot that a thing stands in, or None if it stands between slots."""
    slot = item.slot(canvas)
    return next((place for place, each in places_of(canvas).items() if each == slot), None)


@dataclass(frozen=True, slots=True)
class Setting:
    """Scenery, time of day and weather. A plain ground has neither time nor weather."""

    scenery: Scenery
    time: Time = Time.DAY
    weather: Weather = Weather.CLEAR


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a picture shows.

    things: from the farthest to the nearest; make scenes with `Scene.of`, which sorts them.
    """

    setting: Setting
    things: tuple[Thing, ...]
    canvas: Canvas = MAIN

    @classmethod
    def of(cls, setting: Setting, things: Iterable[Thing], canvas: Canvas = MAIN) -> "Scene":
        """The scene with its things in depth order: by foot, then from left to right."""
        ordered = sorted(things, key=lambda item: (item.foot, item.column, item.row))
        return cls(setting, tuple(ordered), canvas)

    def with_things(self, things: Iterable[Thing]) -> "Scene":
        """The same setting with other things."""
        return Scene.of(self.setting, things, self.canvas)

    def with_setting(self, setting: Setting) -> "Scene":
        """The same things in another setting."""
        return replace(self, setting=setting)


def holds(relation: Relation, first: Thing, second: Thing, third: Thing | None = None) -> bool:
    """Whether `first` has this relation to `second`, or for BETWEEN to `second` and `third`.

    The four directions require centres at least one cell apart in that direction, and a direction that
    differs from it by at most 63 degrees, similar to GenEval (Ghosh et al. 2023, section 3). A thing is
    between two others if it is nearer to the middle of them than half their distance, on the way from one to
    the other.
    """
    if relation is Relation.BETWEEN:
        return third is not None and _is_between(first.centre, second.centre, third.centre)
    if relation in {Relation.IN_FRONT_OF, Relation.BEHIND}:
        nearer = first.foot > second.foot if relation is Relation.IN_FRONT_OF else first.foot < second.foot
        return first.overlaps(second) and nearer
    down = second.centre[0] - first.centre[0]
    right = second.centre[1] - first.centre[1]
    along, aside = {
        Relation.LEFT_OF: (right, down),
        Relation.RIGHT_OF: (-right, down),
        Relation.ABOVE: (down, right),
        Relation.BELOW: (-down, right),
    }[relation]
    return along >= max(1, abs(aside) / 2)


def _is_between(middle: tuple[float, float], one: tuple[float, float], other: tuple[float, float]) -> bool:
    way = other[0] - one[0], other[1] - one[1]
    length = way[0] ** 2 + way[1] ** 2
    step = middle[0] - one[0], middle[1] - one[1]
    share = (step[0] * way[0] + step[1] * way[1]) / length if length else 0.0
    aside = abs(step[0] * way[1] - step[1] * way[0]) / length if length else 1.0
    return 0.2 <= share <= 0.8 and aside <= 0.25
