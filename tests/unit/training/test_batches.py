"""Batches depend only on seed and step, and have a loss only for tokens that the model draws."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.data.batches import ShuffledBatches
from training.data.sequences import SequenceStore, TrainingSequence

FIRST_CODE, CODES = 100, 50
BEGIN, START, NEWLINE, END = 1, 2, 3, 4


def sequence(number: int) -> TrainingSequence:
    """A prompt whose length depends on `number`, a row of given codes and a row of drawn codes."""
    prompt = (BEGIN, *range(10, 12 + number % 5))
    given_row = (START, *(FIRST_CODE + (number + column) % CODES for column in range(4)), NEWLINE)
    drawn_row = (*(FIRST_CODE + (2 * number + column) % CODES for column in range(4)), NEWLINE, END)
    return TrainingSequence((*prompt, *given_row, *drawn_row), len(prompt), len(prompt) + len(given_row))


SEQUENCES = [sequence(number) for number in range(23)]
STORE = SequenceStore.of(SEQUENCES, FIRST_CODE + CODES)


def batches(seed: int = 1, dropout: float = 0.0, size: int = 4) -> ShuffledBatches:
    return ShuffledBatches(STORE, size, seed, dropout, FIRST_CODE, CODES)


def rows(source: ShuffledBatches, step: int) -> list[tuple[int, ...]]:
    """The sequences of a batch without padding; each ends with END."""
    tokens = source.batch(step).tokens.tolist()
    return [tuple(row[: row.index(END) + 1]) for row in tokens]


@given(seed=st.integers(0, 1000), step=st.integers(0, 40), before=st.lists(st.integers(0, 40), max_size=3))
def test_a_batch_depends_on_seed_and_step_alone(seed: int, step: int, before: list[int]) -> None:
    fresh, used = batches(seed, 0.5), batches(seed, 0.5)
    for other in before:
        used.batch(other)
    for one, another in zip(fresh.batch(step), used.batch(step), strict=True):
        assert torch.equal(one, another)


def test_another_seed_gives_another_order() -> None:
    assert [rows(batches(1), step) for step in range(5)] != [rows(batches(2), step) for step in range(5)]


def test_an_epoch_shows_every_sequence_once_except_those_that_do_not_fill_a_batch() -> None:
    source = batches()
    shown = [row for step in range(source.batches_per_epoch) for row in rows(source, step)]
    assert len(shown) == len(set(shown)) == 20
    assert set(shown) <= {sequence.tokens for sequence in SEQUENCES}


def test_the_next_epoch_has_another_order() -> None:
    source = batches()
    epoch = source.batches_per_epoch
    assert [rows(source, step) for step in range(epoch)] != [
        rows(source, step) for step in range(epoch, 2 * epoch)
    ]


def test_targets_are_exactly_the_tokens_that_the_model_draws() -> None:
    batch = batches(dropout=0.5, size=6).batch(0)
    width = batch.tokens.shape[1]
    for row in range(6):
        inside = (batch.drawn >= row * width) & (batch.drawn < (row + 1) * width)
        tokens = batch.tokens[row].tolist()
        drawn_row = tokens[tokens.index(END) - 5 : tokens.index(END) - 1]
        assert batch.targets[inside].tolist() == drawn_row
        following = batch.tokens.flatten()[batch.drawn[inside] + 1]
        assert torch.equal(following, batch.targets[inside])


@pytest.mark.parametrize(("dropout", "first"), [(0.0, BEGIN), (1.0, START)])
def test_a_sequence_without_its_prompt_begins_with_the_start_token(dropout: float, first: int) -> None:
    source = batches(dropout=dropout)
    assert all(row[0] == first for step in range(5) for row in rows(source, step))


def test_prompts_are_dropped_at_the_given_rate() -> None:
    source = batches(dropout=0.3, size=20)
    dropped = np.mean([row[0] == START for step in range(50) for row in rows(source, step)])
    assert dropped == pytest.approx(0.3, abs=0.06)


def test_fewer_sequences_than_a_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="23 sequences do not fill a batch of 24"):
        batches(size=24)
