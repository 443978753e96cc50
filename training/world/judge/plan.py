"""Size and seeds of an evaluation of the larger world."""

from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import Generator

from training.judging.generator import Drawing, PictureGenerator, Question
from training.judging.plan import chance_of
from training.judging.scores import Row
from training.world.examples import WorldExample
from training.world.scene import MAIN, Canvas


@dataclass(frozen=True, slots=True)
class WorldPlan:
    """per_row: questions per row and split. exhibits: questions per row on the contact sheet.

    canvas: size of the pictures.
    """

    per_row: int = 100
    seed: int = 1
    exhibits: int = 2
    canvas: Canvas = MAIN

    @property
    def size(self) -> str:
        """Size of the pictures, for people."""
        return f"{self.canvas} pixels"

    def chance(self, row: Row) -> Generator:
        """The random generator of a row; it does not depend on other rows."""
        return chance_of(self.seed, row)

    def ask(
        self, generator: PictureGenerator, row: Row, sample: Callable[[Generator], WorldExample]
    ) -> tuple[list[WorldExample], list[Drawing]]:
        """Draw the row's examples; returns them with the generator's drawings."""
        rng = self.chance(row)
        examples = [sample(rng) for _ in range(self.per_row)]
        questions = [Question(example, self.seed + index) for index, example in enumerate(examples)]
        return examples, generator.generate(questions)
