"""Enumerations of the larger world: things, colours, patterns, sizes, sceneries, times, weathers, places."""

from enum import StrEnum
from typing import Final

from shared.sizes import CELL_PIXELS

CELL: Final = CELL_PIXELS
"""Side of a cell in pixels; the image tokenizer turns every cell into one code."""


class Family(StrEnum):
    """Groups of things."""

    ANIMALS = "animals"
    PLANTS = "plants"
    FOOD = "food"
    VEHICLES = "vehicles"
    BUILDINGS = "buildings"
    EVERYDAY = "everyday objects"


class Kind(StrEnum):
    """Kind of a thing; each kind has one drawing."""

    CAT = "cat"
    DOG = "dog"
    RABBIT = "rabbit"
    ELEPHANT = "elephant"
    BIRD = "bird"
    OWL = "owl"
    DUCK = "duck"
    FISH = "fish"
    FROG = "frog"
    TURTLE = "turtle"
    BUTTERFLY = "butterfly"
    SNAIL = "snail"
    TREE = "tree"
    PINE = "pine"
    PALM = "palm"
    CACTUS = "cactus"
    FLOWER = "flower"
    MUSHROOM = "mushroom"
    APPLE = "apple"
    BANANA = "banana"
    STRAWBERRY = "strawberry"
    CAKE = "cake"
    ICE_CREAM = "ice cream"
    DOUGHNUT = "doughnut"
    CARROT = "carrot"
    CAR = "car"
    BUS = "bus"
    TRUCK = "truck"
    TRAIN = "train"
    BOAT = "boat"
    AEROPLANE = "aeroplane"
    ROCKET = "rocket"
    BALLOON = "balloon"
    HOUSE = "house"
    CASTLE = "castle"
    LIGHTHOUSE = "lighthouse"
    WINDMILL = "windmill"
    TENT = "tent"
    BALL = "ball"
    MUG = "mug"
    TEAPOT = "teapot"
    CHAIR = "chair"
    LAMP = "lamp"
    UMBRELLA = "umbrella"
    BOOK = "book"
    CLOCK = "clock"
    GIFT = "gift"
    HAT = "hat"

    @property
    def family(self) -> Family:
        """The group that the kind belongs to."""
        return next(family for family, first in reversed(_FIRST_OF.items()) if _ORDER[self] >= _ORDER[first])

    @property
    def is_animal(self) -> bool:
        """Whether the kind has a skeleton, and so a pose."""
        return self.family is Family.ANIMALS


_ORDER: Final = {kind: place for place, kind in enumerate(Kind)}
_FIRST_OF: Final = {
    Family.ANIMALS: Kind.CAT,
    Family.PLANTS: Kind.TREE,
    Family.FOOD: Kind.APPLE,
    Family.VEHICLES: Kind.CAR,
    Family.BUILDINGS: Kind.HOUSE,
    Family.EVERYDAY: Kind.BALL,
}


class Colour(StrEnum):
    """The main colour of a thing."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    GREEN = "green"
    BLUE = "blue"
    PURPLE = "purple"
    PINK = "pink"
    BROWN = "brown"
    BLACK = "black"
    WHITE = "white"


class Pattern(StrEnum):
    """What is painted over the main colour."""

    PLAIN = "plain"
    STRIPED = "striped"
    DOTTED = "dotted"


class Size(StrEnum):
    """Size of a thing: its square box spans two, three or four cells (16, 24 or 32 pixels)."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"

    @property
    def cells(self) -> int:
        """Side of the box in cells."""
        return 2 + SIZES.index(self)

    @property
    def pixels(self) -> int:
        """Side of the box in pixels."""
        return self.cells * CELL


class Scenery(StrEnum):
    """Where a scene plays. PLAIN is only behind the given thing of the task `subject`."""

    MEADOW = "meadow"
    FOREST = "forest"
    BEACH = "beach"
    DESERT = "desert"
    MOUNTAINS = "mountains"
    CITY = "city"
    ICE = "ice"
    FARM = "farm"
    SEA = "sea"
    ROOM = "room"
    PLAIN = "plain"


class Time(StrEnum):
    """Time of day."""

    DAY = "day"
    SUNSET = "sunset"
    NIGHT = "night"


class Weather(StrEnum):
    """Weather; in a room it is seen through the window."""

    CLEAR = "clear"
    CLOUDY = "cloudy"
    RAIN = "rain"
    SNOW = "snow"


class Relation(StrEnum):
    """Position of one thing relative to another one, or to two, as the viewer sees it."""

    LEFT_OF = "left of"
    RIGHT_OF = "right of"
    ABOVE = "above"
    BELOW = "below"
    IN_FRONT_OF = "in front of"
    BEHIND = "behind"
    BETWEEN = "between"


KINDS: Final = tuple(Kind)
COLOURS: Final = tuple(Colour)
PATTERNS: Final = tuple(Pattern)
SIZES: Final = tuple(Size)
TIMES: Final = tuple(Time)
WEATHERS: Final = tuple(Weather)
RELATIONS: Final = tuple(Relation)
SCENERIES: Final = tuple(scenery for scenery in Scenery if scenery is not Scenery.PLAIN)
