"""What an attempt leaves to its successor: the codes drawn so far, in a few kilobytes."""

import hashlib
import struct
import sys
from array import array
from dataclasses import astuple, dataclass
from typing import Self

from services.worker.engine.sampling import SamplingParameters
from services.worker.engine.sequence_plan import SequencePlan

MAGIC = b"LTC1"
HEADER = struct.Struct("<4s32sdH")
"""Magic, recipe, seconds, candidates."""
CANDIDATE = struct.Struct("<dI")
"""Score, codes; the codes follow as unsigned 16-bit little-endian integers."""


class CheckpointFormatError(ValueError):
    """The bytes are no checkpoint of this version."""


@dataclass(frozen=True)
class CandidateTokens:
    """One picture's codes in the order in which they were drawn, and their score in nats."""

    codes: tuple[int, ...] = ()
    score: float = 0.0


@dataclass(frozen=True)
class TokenCheckpoint:
    """All candidates of a job.

    recipe: SHA-256 of everything that decides the codes; only an attempt with the same may go on from here.
    compute_seconds: spent on the job before.
    """

    recipe: bytes
    compute_seconds: float
    candidates: tuple[CandidateTokens, ...]

    def to_bytes(self) -> bytes:
        """The form in which the database keeps it."""
        parts = [HEADER.pack(MAGIC, self.recipe, self.compute_seconds, len(self.candidates))]
        for candidate in self.candidates:
            codes = array("H", candidate.codes)
            if sys.byteorder == "big":
                codes.byteswap()
            parts += [CANDIDATE.pack(candidate.score, len(codes)), codes.tobytes()]
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read it back. Raises CheckpointFormatError."""
        try:
            magic, recipe, seconds, count = HEADER.unpack_from(data)
            if magic != MAGIC:
                raise CheckpointFormatError("another magic number")
            place = HEADER.size
            candidates: list[CandidateTokens] = []
            for _ in range(count):
                score, length = CANDIDATE.unpack_from(data, place)
                place += CANDIDATE.size
                candidates.append(CandidateTokens(struct.unpack_from(f"<{length}H", data, place), score))
                place += 2 * length
        except struct.error as error:
            raise CheckpointFormatError(f"cut short: {error}") from error
        if place != len(data):
            raise CheckpointFormatError(f"{len(data) - place} bytes too many")
        return cls(recipe, seconds, tuple(candidates))


def recipe_of(model: str, plan: SequencePlan, sampling: SamplingParameters) -> bytes:
    """SHA-256 of model and precision, of every given token, and of how the others are drawn."""
    text = repr((model, plan.tokens, plan.image_start, astuple(sampling)))
    return hashlib.sha256(text.encode()).digest()
