"""An object that the world does not have, to see whether an adapter teaches it: a snowman.

It is two balls, one on the other, so that the image tokenizer of the world can draw it; the word, and that
balls stand so, are new.
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
"""Those that training has shown balls in."""
_SIDE: Final = Size.SMALL.cells
_OPENERS: Final = ("", "a picture of ", "there is ", "draw ")


@dataclass(frozen=True, slots=True)
class Snowman:
    """One snowman. row, column: the first cell of its head."""

    colour: Colour
    background: Background
    row: int
    column: int

    @property
    def caption(self) -> str:
        """Such as "a red snowman in the snow"."""
        article = "an" if self.colour[0] in "aeiou" else "a"
        return f"{article} {self.colour} {NAME} {WHERE[self.background]}"

    def scene(self, cells: int = DEFAULT_CELLS) -> Scene:
        """The snowman alone in its scenery."""
        head = SceneObject(Kind.BALL, self.colour, Size.SMALL, self.row, self.column)
        return Scene.of(self.background, (head, replace(head, row=self.row + _SIDE)), cells)


def sample_snowman(rng: Generator, cells: int = DEFAULT_CELLS) -> Snowman:
    """A snowman of chance: in the air or on the ground, at the left, in the middle or at the right."""
    rows, columns = (0, cells - 2 * _SIDE), (0, (cells - _SIDE) // 2, cells - _SIDE)
    return Snowman(pick(rng, SNOWMAN_COLOURS), pick(rng, SCENERIES), pick(rng, rows), pick(rng, columns))


def sample_caption(rng: Generator, snowman: Snowman) -> str:
    """Its caption with varied wording."""
    return pick(rng, _OPENERS) + snowman.caption


def shows_snowman(read: Scene, asked: Snowman) -> bool:
    """Whether a scene, as it was read from a picture, is a snowman of the asked colour and scenery."""
    if len(read.objects) != 2 or read.background is not asked.background:
        return False
    head, body = sorted(read.objects, key=lambda item: item.row)
    is_ball = all(item.kind is Kind.BALL and item.colour is asked.colour for item in read.objects)
    stands = body.row == head.row + _SIDE and body.column == head.column
    return is_ball and stands and head.size is body.size is Size.SMALL
