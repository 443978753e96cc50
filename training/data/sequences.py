"""Sequences on disk: one array with all token ids, and an index of the sequences and their parts."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from services.worker.engine.layout.vocabulary import Vocabulary
from training.errors import TrainingError

TOKENS_FILE = "tokens.npy"
INDEX_FILE = "index.npy"
_PROBE_TOKENS = 1 << 20
"""Tokens that a fingerprint reads at each end; reading all tokens of a large set would take too long."""


@dataclass(frozen=True, slots=True)
class TrainingSequence:
    """One whole sequence, from its begin token to END.

    image_start: index of START. result_start: index of the first token that the model draws.
    """

    tokens: tuple[int, ...]
    image_start: int
    result_start: int


@dataclass(frozen=True)
class SequenceStore:
    """Many sequences in two arrays.

    tokens: [all tokens] uint16, or uint32 for vocabularies beyond 65,536 ids; memory-mapped when read.
    index: [sequences, 4] int64: offset in `tokens`, length, image_start, result_start.
    """

    tokens: NDArray[np.unsignedinteger]
    index: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.index)

    @classmethod
    def of(cls, sequences: list[TrainingSequence], vocabulary_size: int) -> Self:
        """Pack sequences whose token ids are below `vocabulary_size`."""
        dtype = np.uint16 if vocabulary_size <= 1 << 16 else np.uint32
        lengths = np.array([len(sequence.tokens) for sequence in sequences], np.int64)
        index = np.empty((len(sequences), 4), np.int64)
        index[:, 0] = np.cumsum(lengths) - lengths
        index[:, 1] = lengths
        index[:, 2] = [sequence.image_start for sequence in sequences]
        index[:, 3] = [sequence.result_start for sequence in sequences]
        tokens = np.concatenate([np.array(sequence.tokens, dtype) for sequence in sequences])
        return cls(tokens, index)

    def save(self, folder: Path) -> None:
        """Write both arrays. The index is written last: a folder with an index is complete."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / TOKENS_FILE, self.tokens)
        unfinished = folder / "unfinished.npy"
        np.save(unfinished, self.index)
        unfinished.replace(folder / INDEX_FILE)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Open a folder that `save` wrote. Raises TrainingError for another folder or a damaged file."""
        if not (folder / INDEX_FILE).is_file():
            raise TrainingError(
                f"{folder} contains no sequences; `python -m training.tokenize_data` makes them "
                "from pictures and captions, `python -m training.pretokenize` from scenes"
            )
        try:
            tokens = np.load(folder / TOKENS_FILE, mmap_mode="r")
            return cls(tokens, np.load(folder / INDEX_FILE))
        except (OSError, ValueError, EOFError) as error:
            raise TrainingError(f"{folder} is damaged: {error}; make it again") from error

    @classmethod
    def join(cls, stores: list[Self]) -> Self:
        """The sequences of all stores, one after the other."""
        starts = np.cumsum([0, *(len(store.tokens) for store in stores)])
        index = np.concatenate([store.index for store in stores])
        index[:, 0] += np.repeat(starts[:-1], [len(store) for store in stores])
        return cls(np.concatenate([store.tokens for store in stores]), index)

    def fits(self, vocabulary: Vocabulary) -> bool:
        """Whether begin, image start, last line end and image end of every sequence fit this vocabulary."""
        offset, length, image_start = self.index[:, 0], self.index[:, 1], self.index[:, 2]
        places = {
            vocabulary.begin_of_sequence: offset,
            vocabulary.image_start: offset + image_start,
            vocabulary.newline: offset + length - 2,
            vocabulary.image_end: offset + length - 1,
        }
        return all(bool((self.tokens[place] == token).all()) for token, place in places.items())

    def fingerprint(self) -> str:
        """Identity of the sequences: 16 digits of a SHA-256 over the index and both ends of the tokens."""
        digest = hashlib.sha256(np.ascontiguousarray(self.index).tobytes())
        for end in (self.tokens[:_PROBE_TOKENS], self.tokens[-_PROBE_TOKENS:]):
            digest.update(np.ascontiguousarray(end).tobytes())
        return digest.hexdigest()[:16]

    def sequence(self, number: int) -> TrainingSequence:
        """The sequence with this number."""
        offset, length, image_start, result_start = (int(value) for value in self.index[number])
        tokens = tuple(self.tokens[offset : offset + length].tolist())
        return TrainingSequence(tokens, image_start, result_start)
