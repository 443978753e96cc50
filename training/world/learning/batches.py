"""Batches of fresh examples; a batch depends only on the seed and the step, on any machine.

All sequences of a batch have the same size and number of panels, so they need little padding. The shares of
sizes and tasks change with the number of sequences before, which the step decides, too.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.random import Generator

from shared.tasks import Task
from training.data.batches import Batch
from training.world.examples import MIXTURE, sample_example
from training.world.layout import weighted
from training.world.learning.ahead import MadeAhead
from training.world.learning.sequences import Layout, Tokens
from training.world.scene import LITTLE, MAIN, TALL, WIDE, Canvas


class Phase(NamedTuple):
    """until: sequences after which the next phase begins. canvases: share of each size."""

    until: float
    canvases: dict[Canvas, float]


PHASES: Final = (
    Phase(200_000, {LITTLE: 0.5, TALL: 0.16, WIDE: 0.16, MAIN: 0.18}),
    Phase(float("inf"), {MAIN: 0.52, TALL: 0.16, WIDE: 0.16, LITTLE: 0.16}),
)
"""Small pictures first: they cost half as much, and have the same words, things and landscapes."""


class Rows(NamedTuple):
    """tokens: [rows, length], padded with the last token. starts: [rows], first drawn cell."""

    tokens: Tokens
    starts: Tokens


@dataclass(frozen=True)
class RowMaker:
    """Makes the rows of a step; can be sent to other processes.

    size: sequences of a batch. dropout: share of sequences without their prompt, which teach the stream
    without words that classifier-free guidance needs (Ho and Salimans 2022, arXiv 2207.12598).
    """

    layout: Layout
    size: int
    seed: int
    dropout: float

    def __call__(self, step: int) -> Rows:
        rng = np.random.default_rng([self.seed, step])
        phase = next(phase for phase in PHASES if step * self.size < phase.until)
        canvas = weighted(rng, phase.canvases)
        shares = shares_of_panels(one=rng.random() < share_of_one_panel())
        rows = [self._row(rng, weighted(rng, shares), canvas) for _ in range(self.size)]
        longest = max(len(tokens) for tokens, _ in rows)
        padded = [np.pad(tokens, (0, longest - len(tokens)), mode="edge") for tokens, _ in rows]
        return Rows(np.stack(padded), np.array([start for _, start in rows], np.int32))

    def _row(self, rng: Generator, task: Task, canvas: Canvas) -> tuple[Tokens, int]:
        sequence = self.layout.sequence(sample_example(rng, canvas, task))
        cut = sequence.image_start if rng.random() < self.dropout else 0
        return sequence.tokens[cut:], sequence.result_start - cut


def share_of_one_panel() -> float:
    """Share of sequences with a single picture."""
    return MIXTURE[Task.TEXT_TO_IMAGE]


def shares_of_panels(*, one: bool) -> dict[Task, float]:
    """The shares of the tasks with a single picture, or of those with two panels."""
    tasks = {task: share for task, share in MIXTURE.items() if (task is Task.TEXT_TO_IMAGE) == one}
    total = sum(tasks.values())
    return {task: share / total for task, share in tasks.items()}


@dataclass
class FreshBatches:
    """A source of batches that never ends. rows: makes the rows of a step, perhaps ahead of time."""

    maker: RowMaker
    rows: MadeAhead[Rows] = field(repr=False)

    def identity(self) -> dict[str, int | float | str]:
        """The settings that decide all batches."""
        return {"--batch": self.maker.size, "--seed": self.maker.seed, "--prompt-dropout": self.maker.dropout}

    def batch(self, step: int) -> Batch:
        """The batch of a step; padding repeats the last token, and no drawn token attends to it."""
        rows = self.rows(step)
        vocabulary = self.maker.layout.vocabulary
        tokens = torch.from_numpy(rows.tokens).long()
        code = tokens - vocabulary.first_image_token
        column = torch.arange(tokens.shape[1])
        is_code = (code >= 0) & (code < vocabulary.image_code_count)
        is_drawn = is_code & (column >= torch.from_numpy(rows.starts)[:, None])
        drawn = is_drawn.flatten().nonzero().squeeze(1)
        return Batch(tokens, drawn - 1, tokens.flatten()[drawn])
