"""How large an evaluation is, which fixed seeds it uses, and what a section hands back."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.random import Generator

from training.judging.generator import Drawing, PictureGenerator, Question
from training.judging.scores import Row, Score
from training.scenes.examples import TrainingExample
from training.scenes.rendering import Picture
from training.scenes.scene import DEFAULT_CELLS
from training.scenes.splits import Split

SPLITS: Final[tuple[Split, ...]] = ("train", "held_out")


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """per_row: questions a row and split. exhibits: how many of each row come into the contact sheet."""

    per_row: int = 100
    seed: int = 1
    exhibits: int = 2
    cells: int = DEFAULT_CELLS

    def chance(self, row: Row) -> Generator:
        """The row's own source of chance, which no other row can shift."""
        name = f"{row.section}/{row.name}/{row.split}"
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    def ask(
        self, generator: PictureGenerator, row: Row, sample: Callable[[Generator], TrainingExample]
    ) -> tuple[list[TrainingExample], list[Drawing]]:
        """The row's examples and what the generator drew for them."""
        rng = self.chance(row)
        examples = [sample(rng) for _ in range(self.per_row)]
        questions = [Question(example, self.seed + index) for index, example in enumerate(examples)]
        return examples, generator.generate(questions)


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One line of the contact sheet: words and the pictures beside each other."""

    words: str
    pictures: tuple[Picture, ...]


@dataclass(slots=True)
class SectionReport:
    """The figures of a section and a few of its pictures."""

    scores: list[Score] = field(default_factory=list)
    exhibits: list[Exhibit] = field(default_factory=list)

    def show(self, examples: Sequence[TrainingExample], drawings: Sequence[Drawing], most: int) -> None:
        """Add the first few questions with what was given and what was drawn."""
        for example, drawing in list(zip(examples, drawings, strict=True))[:most]:
            given = () if example.given is None else (example.given,)
            partner = () if drawing.partner is None else (drawing.partner,)
            words = example.prompt or f"{example.target} of this picture"
            self.exhibits.append(Exhibit(words, (*given, drawing.picture, *partner)))
