"""The checkpoint of a job: the codes drawn so far, in a few kilobytes, for the next attempt."""

import hashlib
import struct
import sys
from array import array
from dataclasses import astuple, dataclass
from typing import Self

from services.worker.engine.layout.sequence_plan import SequencePlan
from services.worker.engine.sampling.filters import SamplingParameters
from services.worker.job.certainty import BYTES_PER_CELL

MAGIC = b"LTC2"
HEADER = struct.Struct("<4s32sdH")
"""Magic number, recipe, compute seconds, number of candidates."""
CANDIDATE = struct.Struct("<dI")
"""Score, number of codes. The codes follow as unsigned 16-bit integers, then their certainties as float16."""


class CheckpointFormatError(ValueError):
    """The bytes are not a checkpoint of this version."""


@dataclass(frozen=True)
class CandidateTokens:
    """Codes of one candidate in the order in which they were drawn, and their score in nats.

    certainty: packed certainties of the codes, see `services.worker.job.certainty`.
    """

    codes: tuple[int, ...] = ()
    score: float = 0.0
    certainty: bytes = b""


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
            parts += [CANDIDATE.pack(candidate.score, len(codes)), codes.tobytes(), candidate.certainty]
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
                codes = struct.unpack_from(f"<{length}H", data, place)
                place += 2 * length
                (certainty,) = struct.unpack_from(f"{BYTES_PER_CELL * length}s", data, place)
                place += BYTES_PER_CELL * length
                candidates.append(CandidateTokens(codes, score, certainty))
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
