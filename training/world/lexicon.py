"""The words of the larger world: names with their synonyms, in British and American spelling."""

from typing import Final

from training.world.nouns import Colour, Kind, Pattern, Relation, Scenery, Size, Time, Weather

NAMES: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.CAT: ("cat", "cat", "kitten"),
    Kind.DOG: ("dog", "dog", "puppy"),
    Kind.RABBIT: ("rabbit", "bunny"),
    Kind.ELEPHANT: ("elephant",),
    Kind.BIRD: ("bird",),
    Kind.OWL: ("owl",),
    Kind.DUCK: ("duck",),
    Kind.FISH: ("fish",),
    Kind.FROG: ("frog", "toad"),
    Kind.TURTLE: ("turtle", "tortoise"),
    Kind.BUTTERFLY: ("butterfly",),
    Kind.SNAIL: ("snail",),
    Kind.TREE: ("tree",),
    Kind.PINE: ("pine", "pine tree", "fir tree"),
    Kind.PALM: ("palm", "palm tree"),
    Kind.CACTUS: ("cactus",),
    Kind.FLOWER: ("flower",),
    Kind.MUSHROOM: ("mushroom", "toadstool"),
    Kind.APPLE: ("apple",),
    Kind.BANANA: ("banana",),
    Kind.STRAWBERRY: ("strawberry",),
    Kind.CAKE: ("cake", "birthday cake"),
    Kind.ICE_CREAM: ("ice cream", "ice cream cone"),
    Kind.DOUGHNUT: ("doughnut", "donut"),
    Kind.CARROT: ("carrot",),
    Kind.CAR: ("car", "car", "automobile"),
    Kind.BUS: ("bus",),
    Kind.TRUCK: ("truck", "lorry"),
    Kind.TRAIN: ("train", "locomotive"),
    Kind.BOAT: ("boat", "sailing boat", "sailboat", "ship"),
    Kind.AEROPLANE: ("aeroplane", "airplane", "plane"),
    Kind.ROCKET: ("rocket", "spaceship"),
    Kind.BALLOON: ("balloon", "hot air balloon"),
    Kind.HOUSE: ("house", "house", "cottage"),
    Kind.CASTLE: ("castle",),
    Kind.LIGHTHOUSE: ("lighthouse",),
    Kind.WINDMILL: ("windmill", "mill"),
    Kind.TENT: ("tent",),
    Kind.BALL: ("ball",),
    Kind.MUG: ("mug", "cup"),
    Kind.TEAPOT: ("teapot",),
    Kind.CHAIR: ("chair",),
    Kind.LAMP: ("lamp",),
    Kind.UMBRELLA: ("umbrella",),
    Kind.BOOK: ("book",),
    Kind.CLOCK: ("clock", "alarm clock"),
    Kind.GIFT: ("gift", "present"),
    Kind.HAT: ("hat",),
}
"""Names of each kind; the first is the usual one, and one that is listed twice is used more often."""

_PLURALS: Final = {
    "fish": "fish",
    "cactus": "cacti",
    "bunny": "bunnies",
    "puppy": "puppies",
    "butterfly": "butterflies",
    "strawberry": "strawberries",
    "lorry": "lorries",
    "bus": "buses",
}

COLOUR_WORDS: Final[dict[Colour, tuple[str, ...]]] = {
    **{colour: (str(colour),) for colour in Colour},
    Colour.PURPLE: ("purple", "purple", "violet"),
}
PATTERN_WORDS: Final[dict[Pattern, tuple[str, ...]]] = {
    Pattern.PLAIN: ("plain",),
    Pattern.STRIPED: ("striped", "striped", "stripy"),
    Pattern.DOTTED: ("dotted", "dotted", "spotted"),
}
PATTERN_NOUNS: Final[dict[Pattern, tuple[str, ...]]] = {
    Pattern.PLAIN: (),
    Pattern.STRIPED: ("stripes",),
    Pattern.DOTTED: ("dots", "spots"),
}
SIZE_WORDS: Final[dict[Size, tuple[str, ...]]] = {
    Size.SMALL: ("small", "small", "little", "tiny"),
    Size.MEDIUM: ("medium", "medium-sized"),
    Size.LARGE: ("large", "large", "big", "huge"),
}

WHERE: Final[dict[Scenery, tuple[str, ...]]] = {
    Scenery.MEADOW: ("in a meadow", "in the meadow", "on the grass"),
    Scenery.FOREST: ("in a forest", "in the forest", "in the woods"),
    Scenery.BEACH: ("on the beach", "at the beach", "on a beach"),
    Scenery.DESERT: ("in the desert", "in a desert"),
    Scenery.MOUNTAINS: ("in the mountains", "in front of mountains"),
    Scenery.CITY: ("in the city", "in a city", "in the town", "in the street"),
    Scenery.ICE: ("on the ice", "in the arctic"),
    Scenery.FARM: ("on a farm", "on the farm", "in a field"),
    Scenery.SEA: ("at sea", "on the sea", "on the water"),
    Scenery.ROOM: ("in a room", "in the room", "indoors"),
    Scenery.PLAIN: (),
}
SCENERY_NOUNS: Final[dict[Scenery, tuple[str, ...]]] = {
    Scenery.MEADOW: ("a meadow", "the meadow"),
    Scenery.FOREST: ("a forest", "the forest"),
    Scenery.BEACH: ("a beach", "the beach"),
    Scenery.DESERT: ("a desert", "the desert"),
    Scenery.MOUNTAINS: ("mountains", "the mountains"),
    Scenery.CITY: ("a city", "the city"),
    Scenery.ICE: ("ice", "the ice", "the arctic"),
    Scenery.FARM: ("a farm", "the farm"),
    Scenery.SEA: ("the sea", "water"),
    Scenery.ROOM: ("a room", "the room"),
    Scenery.PLAIN: (),
}
WHEN: Final[dict[Time, tuple[str, ...]]] = {
    Time.DAY: ("by day", "during the day", "in daylight"),
    Time.SUNSET: ("at sunset", "in the evening", "at dusk"),
    Time.NIGHT: ("at night", "by night", "in the dark"),
}
TIME_NOUNS: Final[dict[Time, tuple[str, ...]]] = {
    Time.DAY: ("day", "daytime", "daylight"),
    Time.SUNSET: ("sunset", "evening", "dusk"),
    Time.NIGHT: ("night", "night-time"),
}
SKY: Final[dict[Weather, tuple[str, ...]]] = {
    Weather.CLEAR: ("in clear weather", "under a clear sky", "in fine weather"),
    Weather.CLOUDY: ("in cloudy weather", "under a cloudy sky", "under clouds"),
    Weather.RAIN: ("in the rain", "in rainy weather", "while it rains"),
    Weather.SNOW: ("in the snow", "in snowy weather", "while it snows"),
}
WEATHER_WORDS: Final[dict[Weather, tuple[str, ...]]] = {
    Weather.CLEAR: ("clear", "fine"),
    Weather.CLOUDY: ("cloudy",),
    Weather.RAIN: ("rainy",),
    Weather.SNOW: ("snowy",),
}
RELATION_WORDS: Final[dict[Relation, tuple[str, ...]]] = {
    Relation.LEFT_OF: ("left of", "to the left of", "on the left of"),
    Relation.RIGHT_OF: ("right of", "to the right of", "on the right of"),
    Relation.ABOVE: ("above", "over"),
    Relation.BELOW: ("below", "under", "beneath"),
    Relation.IN_FRONT_OF: ("in front of",),
    Relation.BEHIND: ("behind",),
    Relation.BETWEEN: ("between",),
}
NUMBERS: Final[dict[int, tuple[str, ...]]] = {
    1: ("one", "1"),
    2: ("two", "two", "2", "a pair of", "a couple of"),
    3: ("three", "three", "3"),
    4: ("four", "four", "4"),
    5: ("five", "five", "5"),
    6: ("six", "six", "6", "half a dozen"),
}


def plural(name: str) -> str:
    """The plural of a name: 'two pine trees', 'three butterflies'."""
    return _PLURALS.get(name, f"{name}s")
