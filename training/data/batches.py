"""Batches of sequences; a batch depends only on the seed and the step."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from training.data.sequences import SequenceStore
from training.errors import TrainingError

_BATCHES_SORTED = 64
"""Number of batches that are sorted by length together: more need less padding, fewer mix better."""


class Batch(NamedTuple):
    """The sequences of one batch, padded on the right to the length of the longest.

    tokens: [batch, length] int64; padding repeats the last token, and no drawn token attends to it.
    drawn: [drawn] int64, indices into the [batch * length] rows whose *next* token the model draws.
    targets: [drawn] int64, those next tokens.
    """

    tokens: Tensor
    drawn: Tensor
    targets: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        return Batch(*(tensor.to(device) for tensor in self))

    def split(self, parts: int) -> list["Batch"]:
        """Split the sequences evenly, in order. Raises TrainingError if they do not divide by `parts`."""
        rows, length = self.tokens.shape
        if rows % parts:
            raise TrainingError(f"a batch of {rows} sequences does not split into {parts} equal parts")
        size = rows // parts
        part = self.drawn // (size * length)
        return [
            Batch(
                tokens,
                self.drawn[part == number] - number * size * length,
                self.targets[part == number],
            )
            for number, tokens in enumerate(self.tokens.split(size))
        ]


class BatchSource(Protocol):
    """Source of a training run's batches."""

    def batch(self, step: int) -> Batch:
        """The batch of the step with this index; it depends only on the step."""
        ...

    def identity(self) -> dict[str, int | float | str]:
        """The settings that decide all batches; a resumed run must not change them."""
        ...


@dataclass
class ShuffledBatches:
    """Batches that show every sequence once per epoch, in random order, with similar lengths together.

    size: sequences of a batch. prompt_dropout: share of sequences without their prompt, so that they begin
    with START at position 0; they teach the stream without words that classifier-free guidance needs (Ho and
    Salimans 2022, arXiv 2207.12598).
    first_code, codes: token of image code 0 and number of image codes; the model draws the image codes from
    `result_start` on.
    """

    store: SequenceStore
    size: int
    seed: int
    prompt_dropout: float
    first_code: int
    codes: int
    _order: tuple[int, list[list[int]]] = field(default_factory=lambda: (-1, []), init=False, repr=False)

    def __post_init__(self) -> None:
        """Raises TrainingError if the store has fewer sequences than one batch."""
        if len(self.store) < self.size:
            raise TrainingError(
                f"{len(self.store)} sequences do not fill a batch of {self.size}; choose a smaller --batch"
            )

    def identity(self) -> dict[str, int | float | str]:
        return {
            "--batch": self.size,
            "--seed": self.seed,
            "--prompt-dropout": self.prompt_dropout,
            "--data": self.store.fingerprint(),
        }

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches in an epoch; remaining sequences that do not fill a batch are left out."""
        return len(self.store) // self.size

    def batch(self, step: int) -> Batch:
        epoch, position = divmod(step, self.batches_per_epoch)
        if self._order[0] != epoch:
            rng = np.random.default_rng([self.seed, epoch])
            self._order = (epoch, _epoch_order(self.store, self.size, rng))
        return self._collate(self._order[1][position], np.random.default_rng([self.seed, epoch, position]))

    def _collate(self, numbers: list[int], rng: Generator) -> Batch:
        rows: list[torch.Tensor] = []
        starts: list[int] = []
        for number in numbers:
            sequence = self.store.sequence(number)
            cut = sequence.image_start if rng.random() < self.prompt_dropout else 0
            rows.append(torch.tensor(sequence.tokens[cut:]))
            starts.append(sequence.result_start - cut)
        length = max(len(row) for row in rows)
        tokens = torch.stack([torch.nn.functional.pad(row, (0, length - len(row)), value=-1) for row in rows])
        column = torch.arange(length)
        is_code = (tokens >= self.first_code) & (tokens < self.first_code + self.codes)
        is_drawn = is_code & (column >= torch.tensor(starts)[:, None])
        drawn = is_drawn.flatten().nonzero().squeeze(1)
        targets = tokens.flatten()[drawn]
        last = torch.stack([row[-1] for row in rows])[:, None]
        return Batch(torch.where(tokens < 0, last, tokens), drawn - 1, targets)


def _epoch_order(store: SequenceStore, size: int, rng: Generator) -> list[list[int]]:
    """The batches of one epoch: shuffle, sort pieces of several batches by length, shuffle the batches."""
    numbers = rng.permutation(len(store))[: len(store) // size * size].reshape(-1, size)
    batches: list[list[int]] = []
    for piece in np.array_split(numbers, -(-len(numbers) // _BATCHES_SORTED)):
        flat = piece.reshape(-1)
        by_length = flat[np.argsort(store.index[flat, 1], kind="stable")]
        batches.extend(by_length.reshape(-1, size).tolist())
    return [batches[place] for place in rng.permutation(len(batches))]
