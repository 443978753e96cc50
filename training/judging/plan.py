"""Size and seeds of an evaluation, and the report of one of its sections."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.random import Generator

from training.judging.generator import Asked, Drawing, PictureGenerator, Question
from training.judging.scores import Row, Score
from training.scenes.examples import TrainingExample
from training.scenes.rendering import Picture
from training.scenes.scene import DEFAULT_CELLS
from training.scenes.splits import Split
from training.scenes.world import CELL

SPLITS: Final[tuple[Split, ...]] = ("train", "held_out")


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """per_row: questions per row and split. exhibits: questions per row on the contact sheet.

    cells: side of the pictures in cells.
    """

    per_row: int = 100
    seed: int = 1
    exhibits: int = 2
    cells: int = DEFAULT_CELLS

    @property
    def size(self) -> str:
        """Size of the pictures, for people."""
        return f"{self.cells * CELL} pixels"

    def chance(self, row: Row) -> Generator:
        """The random generator of a row; it does not depend on other rows."""
        return chance_of(self.seed, row)

    def ask(
        self, generator: PictureGenerator, row: Row, sample: Callable[[Generator], TrainingExample]
    ) -> tuple[list[TrainingExample], list[Drawing]]:
        """Draw the row's examples; returns them with the generator's drawings."""
        rng = self.chance(row)
        examples = [sample(rng) for _ in range(self.per_row)]
        questions = [Question(example, self.seed + index) for index, example in enumerate(examples)]
        return examples, generator.generate(questions)


def chance_of(seed: int, row: Row) -> Generator:
    """The random generator of a row's questions; it does not depend on other rows."""
    name = f"{row.section}/{row.name}/{row.split}"
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One entry of the contact sheet: words, and pictures side by side."""

    words: str
    pictures: tuple[Picture, ...]


@dataclass(slots=True)
class SectionReport:
    """The scores of a section and a few of its pictures."""

    scores: list[Score] = field(default_factory=list)
    exhibits: list[Exhibit] = field(default_factory=list)

    def show(self, examples: Sequence[Asked], drawings: Sequence[Drawing], most: int) -> None:
        """Add the first `most` examples with their given and drawn pictures."""
        for example, drawing in list(zip(examples, drawings, strict=True))[:most]:
            given = () if example.given is None else (example.given,)
            partner = () if drawing.partner is None else (drawing.partner,)
            words = example.prompt or f"{example.target} of this picture"
            self.exhibits.append(Exhibit(words, (*given, drawing.picture, *partner)))
