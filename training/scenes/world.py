"""The nouns of the scene world: kinds, colours, sizes, backgrounds, places and relations."""

from enum import StrEnum
from typing import Final

CELL: Final = 8
"""Pixels along one side of a token cell; the tokenizer turns every cell into one code."""


class Kind(StrEnum):
    """What an object is; each kind has one drawing."""

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
    """How many cells an object's square box spans: two (16 pixels) or three (24 pixels)."""

    SMALL = "small"
    LARGE = "large"

    @property
    def cells(self) -> int:
        """Side of the box in token cells."""
        return 2 if self is Size.SMALL else 3

    @property
    def pixels(self) -> int:
        """Side of the box in pixels."""
        return self.cells * CELL


class Background(StrEnum):
    """A scenery; PLAIN is the ground that a subject stands on alone and never part of a scene."""

    MEADOW = "meadow"
    BEACH = "beach"
    NIGHT = "night"
    SNOW = "snow"
    DESERT = "desert"
    ROOM = "room"
    PLAIN = "plain"


class Place(StrEnum):
    """One of nine named places; an object there has its box pushed to that side."""

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
        """Row and column of the box's first cell in a square picture of `cells` x `cells`."""
        row, column = divmod(PLACES.index(self), 3)
        free = cells - size.cells
        steps = (0, free // 2, free)
        return steps[row], steps[column]


class Relation(StrEnum):
    """How one object stands to another, as the viewer sees it."""

    LEFT_OF = "left of"
    RIGHT_OF = "right of"
    ABOVE = "above"
    BELOW = "below"
    IN_FRONT_OF = "in front of"


class MapKind(StrEnum):
    """A picture that is computed from the scene's truth instead of its colours."""

    DEPTH = "depth"
    SEGMENTATION = "segmentation"
    CANNY = "canny"
    HED = "hed"
    POSE = "pose"
    EDGES = "edges"


KINDS: Final = tuple(Kind)
COLOURS: Final = tuple(Colour)
SIZES: Final = tuple(Size)
PLACES: Final = tuple(Place)
RELATIONS: Final = tuple(Relation)
SCENERIES: Final = tuple(background for background in Background if background is not Background.PLAIN)
