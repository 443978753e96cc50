"""Enumerations of the scene world: kinds, colours, sizes, backgrounds, places, relations and maps."""

from enum import StrEnum
from typing import Final

from shared.sizes import CELL_PIXELS

CELL: Final = CELL_PIXELS
"""Side of a cell in pixels; the image tokenizer turns every cell into one code."""


class Kind(StrEnum):
    """Kind of an object; each kind has one drawing."""

    BALL = "ball"
    CUBE = "cube"
    STAR = "star"
    HEART = "heart"
    TREE = "tree"
    HOUSE = "house"
    FISH = "fish"
    MUG = "mug"
    MUSHROOM = "mushroom"
    UMBRELLA = "umbrella"
    CAR = "car"
    BOAT = "boat"


class Colour(StrEnum):
    """The main colour of an object."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    GREEN = "green"
    BLUE = "blue"
    PURPLE = "purple"
    PINK = "pink"
    WHITE = "white"


class Size(StrEnum):
    """Size of an object: its square box spans two cells (16 pixels) or three (24 pixels)."""

    SMALL = "small"
    LARGE = "large"

    @property
    def cells(self) -> int:
        """Side of the box in cells."""
        return 2 if self is Size.SMALL else 3

    @property
    def pixels(self) -> int:
        """Side of the box in pixels."""
        return self.cells * CELL


class Background(StrEnum):
    """Background of a scene. PLAIN appears only behind the given object of the task `subject`."""

    MEADOW = "meadow"
    BEACH = "beach"
    NIGHT = "night"
    SNOW = "snow"
    DESERT = "desert"
    ROOM = "room"
    PLAIN = "plain"


class Place(StrEnum):
    """One of nine named places; an object at a place has its box against that side of the picture."""

    TOP_LEFT = "top left"
    TOP = "top"
    TOP_RIGHT = "top right"
    LEFT = "left"
    MIDDLE = "middle"
    RIGHT = "right"
    BOTTOM_LEFT = "bottom left"
    BOTTOM = "bottom"
    BOTTOM_RIGHT = "bottom right"

    def corner(self, size: Size, cells: int) -> tuple[int, int]:
        """Row and column of the box's upper left cell in a picture of `cells` x `cells` cells."""
        row, column = divmod(PLACES.index(self), 3)
        free = cells - size.cells
        steps = (0, free // 2, free)
        return steps[row], steps[column]


class Relation(StrEnum):
    """Position of one object relative to another, as the viewer sees it."""

    LEFT_OF = "left of"
    RIGHT_OF = "right of"
    ABOVE = "above"
    BELOW = "below"
    IN_FRONT_OF = "in front of"


KINDS: Final = tuple(Kind)
COLOURS: Final = tuple(Colour)
SIZES: Final = tuple(Size)
PLACES: Final = tuple(Place)
RELATIONS: Final = tuple(Relation)
SCENERIES: Final = tuple(background for background in Background if background is not Background.PLAIN)
