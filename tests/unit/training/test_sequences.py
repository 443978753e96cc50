"""Sequences are read from disk as they were saved."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.sequences import INDEX_FILE, SequenceStore, TrainingSequence
from training.errors import TrainingError


@st.composite
def sequences(draw: st.DrawFn) -> TrainingSequence:
    tokens = draw(st.lists(st.integers(0, 65_535), min_size=2, max_size=12))
    start = draw(st.integers(0, len(tokens) - 2))
    return TrainingSequence(tuple(tokens), start, draw(st.integers(start + 1, len(tokens) - 1)))


@given(packed=st.lists(sequences(), min_size=1, max_size=8))
def test_packed_sequences_can_be_read_back(packed: list[TrainingSequence]) -> None:
    store = SequenceStore.of(packed, 65_536)
    assert [store.sequence(number) for number in range(len(store))] == packed


@pytest.mark.parametrize(("vocabulary", "dtype"), [(65_536, np.uint16), (171_384, np.uint32)])
def test_the_vocabulary_decides_the_dtype_of_token_ids(vocabulary: int, dtype: type, tmp_path: Path) -> None:
    sequence = TrainingSequence((vocabulary - 1, 3, 4), 1, 2)
    SequenceStore.of([sequence], vocabulary).save(tmp_path)
    store = SequenceStore.read(tmp_path)
    assert store.tokens.dtype == dtype
    assert store.sequence(0) == sequence


def test_joined_folders_keep_their_order(tmp_path: Path) -> None:
    first = [TrainingSequence((1, 2, 3), 0, 1), TrainingSequence((4, 5), 0, 1)]
    second = [TrainingSequence((6, 7, 8, 9), 1, 2)]
    for name, packed in (("a", first), ("b", second)):
        SequenceStore.of(packed, 100).save(tmp_path / name)
    joined = SequenceStore.join([SequenceStore.read(tmp_path / "a"), SequenceStore.read(tmp_path / "b")])
    assert [joined.sequence(number) for number in range(len(joined))] == first + second


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    SequenceStore.of([TrainingSequence((1, 2), 0, 1)], 10).save(tmp_path)
    (tmp_path / INDEX_FILE).unlink()
    with pytest.raises(TrainingError, match="contains no sequences"):
        SequenceStore.read(tmp_path)
