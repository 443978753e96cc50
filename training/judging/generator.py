"""What the evaluation asks of whatever draws the pictures, and the two drawers that know the truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.scenes.examples import TrainingExample
from training.scenes.rendering import Picture

CodeGrid = NDArray[np.int64]
"""[rows, columns] codes of the image tokenizer."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture that was drawn; `partner` is the second panel of an image pair.

    codes: the picture's tokens, if it was drawn from tokens; a next turn goes on from them.
    """

    picture: Picture
    partner: Picture | None = None
    codes: CodeGrid | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to draw.

    example: its prompt and its given picture are for the drawer to see, its result and scene are not.
    given:   the drawer's own picture of the turn before, which stands in for the example's given picture.
    """

    example: TrainingExample
    seed: int
    given: Drawing | None = None


class PictureGenerator(Protocol):
    """Anything that answers questions with pictures, in order."""

    def generate(self, questions: Sequence[Question]) -> list[Drawing]:
        """One drawing for each question."""
        ...


class PictureCodec(Protocol):
    """An image tokenizer as the evaluation needs it."""

    @property
    def codebook_size(self) -> int:
        """How many codes there are."""
        ...

    def encode(self, pictures: Sequence[Picture]) -> list[CodeGrid]:
        """The codes of pictures of equal size."""
        ...

    def decode(self, codes: Sequence[CodeGrid]) -> list[Picture]:
        """The pictures of code grids of equal size."""
        ...


class TrueAnswers:
    """Answers with the true picture, which shows what the judge itself gets wrong."""

    def generate(self, questions: Sequence[Question]) -> list[Drawing]:
        """The exact result of every question."""
        return [Drawing(question.example.result, question.example.partner) for question in questions]


class TokenizedAnswers:
    """Answers with the true picture after encoding and decoding: the ceiling that the tokenizer sets."""

    def __init__(self, codec: PictureCodec) -> None:
        self._codec = codec

    def generate(self, questions: Sequence[Question]) -> list[Drawing]:
        """The reconstruction of every exact result."""
        pictures = self._round_trip([question.example.result for question in questions])
        partners = [question.example.partner for question in questions]
        drawn = iter(self._round_trip([partner for partner in partners if partner is not None]))
        return [
            Drawing(picture, None if partner is None else next(drawn))
            for picture, partner in zip(pictures, partners, strict=True)
        ]

    def _round_trip(self, pictures: list[Picture]) -> list[Picture]:
        return self._codec.decode(self._codec.encode(pictures)) if pictures else []
