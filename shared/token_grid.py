"""The grid of a picture's image codes, with its binary format and its hash."""

import hashlib
import struct
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from shared.errors import LuminaryError

MAGIC = b"LTG1"
HEADER = struct.Struct("<4sHH")
"""Magic number, rows, columns. The codes follow row by row as unsigned 16-bit little-endian integers."""
LARGEST_SIDE = 4096
CODE_LIMIT = 1 << 16


class TokenGridError(LuminaryError, ValueError):
    """The numbers or bytes are not a token grid."""

    code = "token_grid_invalid"
    hint = "Send a grid in the format of the tokenizer service's responses."


@dataclass(frozen=True)
class TokenGrid:
    """`height` rows of `width` codes, row-major. A code is an index into the image tokenizer's codebook."""

    height: int
    width: int
    tokens: tuple[int, ...]

    def __post_init__(self) -> None:
        if not (0 < self.height <= LARGEST_SIDE and 0 < self.width <= LARGEST_SIDE):
            raise TokenGridError(f"{self.height} x {self.width} is not a grid of 1 to {LARGEST_SIDE} a side")
        if len(self.tokens) != self.height * self.width:
            raise TokenGridError(
                f"{self.height} x {self.width} needs {self.height * self.width} codes, not {len(self.tokens)}"
            )
        if not 0 <= min(self.tokens) <= max(self.tokens) < CODE_LIMIT:
            raise TokenGridError(f"codes must be between 0 and {CODE_LIMIT - 1}")

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[int]]) -> Self:
        """A grid from rows of equal length. Raises TokenGridError."""
        width = len(rows[0]) if rows else 0
        if any(len(row) != width for row in rows):
            raise TokenGridError("the rows differ in length")
        return cls(len(rows), width, tuple(code for row in rows for code in row))

    def rows(self) -> list[list[int]]:
        """The codes as a list of rows."""
        return [
            list(self.tokens[start : start + self.width]) for start in range(0, len(self.tokens), self.width)
        ]

    def to_bytes(self) -> bytes:
        """The binary format: 8 bytes, and 2 for each code (768x768 pixels: 18,440 bytes)."""
        return HEADER.pack(MAGIC, self.height, self.width) + little_endian(array("H", self.tokens)).tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the binary format. Raises TokenGridError if it is invalid or has missing or extra bytes."""
        if len(data) < HEADER.size:
            raise TokenGridError("too short for a token grid")
        magic, height, width = HEADER.unpack_from(data)
        if magic != MAGIC:
            raise TokenGridError("not a token grid")
        if len(data) != HEADER.size + 2 * height * width:
            raise TokenGridError(f"a {height} x {width} grid does not fill {len(data)} bytes")
        codes = array("H")
        codes.frombytes(data[HEADER.size :])
        return cls(height, width, tuple(little_endian(codes)))

    def sha256(self) -> str:
        """Hex digest of the binary format; equal for equal grids only."""
        return hashlib.sha256(self.to_bytes()).hexdigest()


def little_endian(codes: "array[int]") -> "array[int]":
    """Bring the codes into little-endian byte order, in place."""
    if sys.byteorder == "big":
        codes.byteswap()
    return codes
