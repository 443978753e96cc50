"""Protocols of picture generators and image tokenizers, and two generators that return true pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.tasks import MapKind, Task

Picture = NDArray[np.uint8]
"""[height, width, 3], RGB."""

CodeGrid = NDArray[np.int64]
"""[rows, columns] codes of the image tokenizer."""


class Asked(Protocol):
    """What a generator and a report need of an example of any world.

    given: the upper panel, if a picture is given. partner: the lower panel of an image pair.
    """

    @property
    def task(self) -> Task: ...
    @property
    def prompt(self) -> str: ...
    @property
    def control(self) -> MapKind | None: ...
    @property
    def target(self) -> MapKind | None: ...
    @property
    def result(self) -> Picture: ...
    @property
    def given(self) -> Picture | None: ...
    @property
    def partner(self) -> Picture | None: ...


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawn picture; `partner` is the second panel of an image pair.

    codes: the picture's codes, if a model drew them; the next turn starts from them.
    """

    picture: Picture
    partner: Picture | None = None
    codes: CodeGrid | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One picture to draw.

    example: a generator may use its prompt and given picture, but not its result.
    given:   the generator's drawing of the turn before, which replaces the example's given picture.
    """

    example: Asked
    seed: int
    given: Drawing | None = None


class PictureGenerator(Protocol):
    """Draws a picture for every question."""

    def generate(self, questions: Sequence[Question]) -> list[Drawing]:
        """One drawing per question, in order."""
        ...


class PictureCodec(Protocol):
    """An image tokenizer."""

    @property
    def codebook_size(self) -> int:
        """Number of codes."""
        ...

    def encode(self, pictures: Sequence[Picture]) -> list[CodeGrid]:
        """The codes of pictures of equal size."""
        ...

    def decode(self, codes: Sequence[CodeGrid]) -> list[Picture]:
        """The pictures of code grids of equal size."""
        ...


class TrueAnswers:
    """Returns the true pictures; their scores show the errors of the judge itself."""

    def generate(self, questions: Sequence[Question]) -> list[Drawing]:
        """The exact result of every question."""
        return [Drawing(question.example.result, question.example.partner) for question in questions]


class TokenizedAnswers:
    """Returns the true pictures, encoded and decoded; their scores are the ceiling set by the tokenizer."""

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
