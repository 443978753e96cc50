"""Batches of sequences: the same ones for the same seed and step, whatever happened before."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from training.data.sequences import SequenceStore

_BATCHES_SORTED = 64
"""Batches whose sequences are sorted by length together: more pad less, fewer mix better."""


class Batch(NamedTuple):
    """Sequences of one batch, filled up on the right to the longest.

    tokens: [batch, length] int64, where padding repeats the last token; nothing looks back at it.
    drawn: indices of [batch * length] rows whose *next* token is one that the model draws.
    targets: [drawn] int64, those next tokens.
    """

    tokens: Tensor
    drawn: Tensor
    targets: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device."""
        return Batch(*(tensor.to(device) for tensor in self))

    def split(self, parts: int) -> list["Batch"]:
        """Its rows dealt out evenly, in order. Raises ValueError where they cannot be."""
        rows, length = self.tokens.shape
        if rows % parts:
            raise ValueError(f"a batch of {rows} sequences cannot be dealt out to {parts}")
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
    """What a training run reads from."""

    def batch(self, step: int) -> Batch:
        """The batch of the step with this index; a function of the step alone."""
        ...


@dataclass
class ShuffledBatches:
    """Every sequence once an epoch, in an order of chance, neighbours in length together.

    size: sequences of a batch. prompt_dropout: share of sequences that begin at START, position 0; they
    teach the unconditional stream of classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598).
    first_code, codes: the range of image codes; of the tokens from `result_start` on, these are drawn.
    """

    store: SequenceStore
    size: int
    seed: int
    prompt_dropout: float
    first_code: int
    codes: int
    _order: tuple[int, list[list[int]]] = field(default_factory=lambda: (-1, []), init=False, repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError for a store with fewer sequences than a batch."""
        if len(self.store) < self.size:
            raise ValueError(f"{len(self.store)} sequences do not fill a batch of {self.size}")

    @property
    def batches_per_epoch(self) -> int:
        """Batches of one pass; the last few sequences that fill none are left out of it."""
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
    """The batches of one epoch: shuffle, sort pieces of many batches by length, shuffle the batches."""
    numbers = rng.permutation(len(store))[: len(store) // size * size].reshape(-1, size)
    batches: list[list[int]] = []
    for piece in np.array_split(numbers, -(-len(numbers) // _BATCHES_SORTED)):
        flat = piece.reshape(-1)
        by_length = flat[np.argsort(store.index[flat, 1], kind="stable")]
        batches.extend(by_length.reshape(-1, size).tolist())
    return [batches[place] for place in rng.permutation(len(batches))]
