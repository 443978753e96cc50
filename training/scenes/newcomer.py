"""A snowman: an object that the scene world does not have, to test whether an adapter learns it.

It consists of two balls, one on top of the other, so the image tokenizer of the scene world can draw it. The
word and the arrangement are new.
"""

from dataclasses import dataclass, replace
from typing import Final

from numpy.random import Generator

from training.scenes.layout import pick
from training.scenes.scene import DEFAULT_CELLS, Scene, SceneObject
from training.scenes.splits import is_new_object
from training.scenes.wording import WHERE
from training.scenes.world import COLOURS, SCENERIES, Background, Colour, Kind, Size

NAME: Final = "snowman"
SNOWMAN_COLOURS: Final = tuple(colour for colour in COLOURS if not is_new_object(Kind.BALL, colour))
"""Colours in which training shows balls."""
_SIDE: Final = Size.SMALL.cells
_OPENERS: Final = ("", "a picture of ", "there is ", "draw ")


@dataclass(frozen=True, slots=True)
class Snowman:
    """One snowman. row, column: upper left cell of its head."""

    colour: Colour
    background: Background
    row: int
    column: int

    @property
    def caption(self) -> str:
        """Caption such as "a red snowman in the snow"."""
        article = "an" if self.colour[0] in "aeiou" else "a"
        return f"{article} {self.colour} {NAME} {WHERE[self.background]}"

    def scene(self, cells: int = DEFAULT_CELLS) -> Scene:
        """A scene with only the snowman."""
        head = SceneObject(Kind.BALL, self.colour, Size.SMALL, self.row, self.column)
        return Scene.of(self.background, (head, replace(head, row=self.row + _SIDE)), cells)


def sample_snowman(rng: Generator, cells: int = DEFAULT_CELLS) -> Snowman:
    """A random snowman: at the top or on the ground; at the left, in the middle or at the right."""
    rows, columns = (0, cells - 2 * _SIDE), (0, (cells - _SIDE) // 2, cells - _SIDE)
    return Snowman(pick(rng, SNOWMAN_COLOURS), pick(rng, SCENERIES), pick(rng, rows), pick(rng, columns))


def sample_caption(rng: Generator, snowman: Snowman) -> str:
    """The caption of a snowman with a random opening."""
    return pick(rng, _OPENERS) + snowman.caption


def shows_snowman(read: Scene, asked: Snowman) -> bool:
    """Whether a recognised scene shows one snowman with the requested colour and background."""
    if len(read.objects) != 2 or read.background is not asked.background:
        return False
    head, body = sorted(read.objects, key=lambda item: item.row)
    is_ball = all(item.kind is Kind.BALL and item.colour is asked.colour for item in read.objects)
    stands = body.row == head.row + _SIDE and body.column == head.column
    return is_ball and stands and head.size is body.size is Size.SMALL
