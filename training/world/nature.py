"""The colours that things have by nature; prompts and edits that name no colour get one of them."""

from typing import Final

from training.world.nouns import Colour, Kind

_RED, _ORANGE, _YELLOW, _GREEN, _BLUE = Colour.RED, Colour.ORANGE, Colour.YELLOW, Colour.GREEN, Colour.BLUE
_PURPLE, _PINK, _BROWN, _BLACK, _WHITE = Colour.PURPLE, Colour.PINK, Colour.BROWN, Colour.BLACK, Colour.WHITE

NATURAL: Final[dict[Kind, tuple[Colour, ...]]] = {
    Kind.CAT: (_ORANGE, _BLACK, _WHITE, _BROWN),
    Kind.DOG: (_BROWN, _BLACK, _WHITE, _ORANGE),
    Kind.RABBIT: (_WHITE, _BROWN, _PINK),
    Kind.ELEPHANT: (_WHITE, _BLUE, _PINK),
    Kind.BIRD: (_BLUE, _RED, _YELLOW, _GREEN),
    Kind.OWL: (_BROWN, _WHITE, _PURPLE),
    Kind.DUCK: (_YELLOW, _WHITE, _BROWN),
    Kind.FISH: (_ORANGE, _BLUE, _YELLOW, _RED),
    Kind.FROG: (_GREEN,),
    Kind.TURTLE: (_GREEN, _BROWN, _ORANGE),
    Kind.BUTTERFLY: (_ORANGE, _BLUE, _YELLOW, _PURPLE),
    Kind.SNAIL: (_BROWN, _ORANGE, _PINK),
    Kind.TREE: (_GREEN, _ORANGE),
    Kind.PINE: (_GREEN,),
    Kind.PALM: (_GREEN,),
    Kind.CACTUS: (_GREEN,),
    Kind.FLOWER: (_RED, _PINK, _YELLOW, _PURPLE, _WHITE),
    Kind.MUSHROOM: (_RED, _BROWN),
    Kind.APPLE: (_RED, _GREEN, _YELLOW),
    Kind.BANANA: (_YELLOW,),
    Kind.STRAWBERRY: (_RED,),
    Kind.CAKE: (_PINK, _BROWN, _YELLOW),
    Kind.ICE_CREAM: (_PINK, _WHITE, _BROWN, _YELLOW),
    Kind.DOUGHNUT: (_PINK, _BROWN),
    Kind.CARROT: (_ORANGE,),
    Kind.CAR: (_RED, _BLUE, _YELLOW, _WHITE),
    Kind.BUS: (_RED, _YELLOW, _GREEN),
    Kind.TRUCK: (_BLUE, _RED, _ORANGE),
    Kind.TRAIN: (_RED, _GREEN, _BLACK),
    Kind.BOAT: (_RED, _BLUE, _BROWN),
    Kind.AEROPLANE: (_WHITE, _RED, _BLUE),
    Kind.ROCKET: (_RED, _WHITE, _BLUE),
    Kind.BALLOON: (_RED, _ORANGE, _PURPLE, _BLUE),
    Kind.HOUSE: (_RED, _YELLOW, _WHITE, _BROWN),
    Kind.CASTLE: (_PURPLE, _PINK, _BROWN),
    Kind.LIGHTHOUSE: (_RED, _BLUE),
    Kind.WINDMILL: (_BROWN, _RED, _WHITE),
    Kind.TENT: (_ORANGE, _GREEN, _RED),
    Kind.BALL: (_RED, _BLUE, _YELLOW, _GREEN),
    Kind.MUG: (_BLUE, _WHITE, _RED),
    Kind.TEAPOT: (_BLUE, _PINK, _WHITE),
    Kind.CHAIR: (_RED, _GREEN, _BROWN),
    Kind.LAMP: (_YELLOW, _RED, _ORANGE),
    Kind.UMBRELLA: (_RED, _PURPLE, _YELLOW),
    Kind.BOOK: (_RED, _GREEN, _BLUE),
    Kind.CLOCK: (_RED, _BLUE, _GREEN),
    Kind.GIFT: (_RED, _PURPLE, _GREEN),
    Kind.HAT: (_BLACK, _BROWN, _PINK),
}
