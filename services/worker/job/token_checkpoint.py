"""The checkpoint of a job: the codes drawn so far, in a few kilobytes, for the next attempt."""

import hashlib
import struct
import sys
from array import array
from dataclasses import astuple, dataclass
from typing import Self

from services.worker.engine.layout.sequence_plan import SequencePlan
from services.worker.engine.sampling.filters import SamplingParameters

MAGIC = b"LTC1"
HEADER = struct.Struct("<4s32sdH")
"""Magic number, recipe, compute seconds, number of candidates."""
CANDIDATE = struct.Struct("<dI")
"""Score, number of codes; the codes follow as unsigned 16-bit little-endian integers."""


class CheckpointFormatError(ValueError):
    """The bytes are not a checkpoint of this version."""


@dataclass(frozen=True)
class CandidateTokens:
    """Codes of one candidate in the order in which they were drawn, and their score in nats."""

    codes: tuple[int, ...] = ()
    score: float = 0.0


@dataclass(frozen=True)
class TokenCheckpoint:
    """All candidates of a job.

    recipe: SHA-256 of everything that decides the codes; only an attempt with the same recipe may use them.
    compute_seconds: time that the attempts so far have spent on the job.
    """

    recipe: bytes
    compute_seconds: float
    candidates: tuple[CandidateTokens, ...]

    def to_bytes(self) -> bytes:
        """The bytes that are stored in the database."""
        parts = [HEADER.pack(MAGIC, self.recipe, self.compute_seconds, len(self.candidates))]
        for candidate in self.candidates:
            codes = array("H", candidate.codes)
            if sys.byteorder == "big":
                codes.byteswap()
            parts += [CANDIDATE.pack(candidate.score, len(codes)), codes.tobytes()]
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse the bytes of `to_bytes`. Raises CheckpointFormatError."""
        try:
            magic, recipe, seconds, count = HEADER.unpack_from(data)
            if magic != MAGIC:
                raise CheckpointFormatError("wrong magic number")
            place = HEADER.size
            candidates: list[CandidateTokens] = []
            for _ in range(count):
                score, length = CANDIDATE.unpack_from(data, place)
                place += CANDIDATE.size
                candidates.append(CandidateTokens(struct.unpack_from(f"<{length}H", data, place), score))
                place += 2 * length
        except struct.error as error:
            raise CheckpointFormatError(f"truncated: {error}") from error
        if place != len(data):
            raise CheckpointFormatError(f"{len(data) - place} extra bytes at the end")
        return cls(recipe, seconds, tuple(candidates))


def recipe_of(numerics: str, plan: SequencePlan, sampling: SamplingParameters) -> bytes:
    """SHA-256 of the numerics identity, all given tokens and the sampling parameters."""
    negative = (plan.negative,) if plan.negative else ()
    text = repr((numerics, plan.tokens, plan.image_start, astuple(sampling), *negative))
    return hashlib.sha256(text.encode()).digest()
