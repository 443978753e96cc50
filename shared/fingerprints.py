"""Fingerprints by which drawn pictures are found again: by their pixels, their codes, or runs of codes.

Near matches. A picture that was re-encoded, cropped to cells or stripped of its metadata keeps a part of its
codes. Every three neighbours in a row that are not all equal are hashed to 31 bits, and a picture keeps its
RUNS smallest hashes (bottom-k sketch: Cohen and Kaplan, "Summarizing data using bottom-k sketches", 2007). A
part of the picture has the same smallest hashes where its codes are the same, so few lookups find it. Which
of the found pictures it is, and how surely, follows from comparing all codes.
"""

import hashlib
import math
import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.png_text import CHUNK_FRAME, SIGNATURE
from shared.token_grid import TokenGrid

RUN: Final = 3
"""Neighbours in a row that are hashed together."""
RUNS: Final = 64
"""Hashes that a picture keeps at most: 256 bytes."""
RUNS_ASKED: Final = 256
"""Hashes of a picture that are looked up at most."""
FEWEST_CELLS: Final = 16
"""Cells of the smallest overlap that is compared."""
_MULTIPLIERS: Final = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)

Codes = NDArray[np.uint32]


@dataclass(frozen=True)
class Fingerprint:
    """Fingerprint of a drawn picture. pixels_sha256: see `pixels_hash`. runs: see `kept_runs`."""

    pixels_sha256: bytes
    runs: list[int]


@dataclass(frozen=True)
class Overlap:
    """How well one grid lies on another one.

    row, column: cell of the second grid on which the first cell of the first grid lies. matching: cells with
    equal codes. cells: cells that both have. log_p: natural logarithm of an upper bound for the probability
    of so many equal codes, if the codes of each row stood in random order.
    """

    row: int
    column: int
    matching: int
    cells: int
    log_p: float


def fingerprint(png: bytes, grid: TokenGrid) -> Fingerprint:
    """The fingerprint of a drawn picture."""
    return Fingerprint(pixels_hash(png), kept_runs(grid))


def pixels_hash(file: bytes) -> bytes:
    """SHA-256 of a PNG's header and pixel data as they are stored, and of any other file as a whole.

    It stays the same when text, a signature or other metadata is added to a PNG or removed.
    """
    if not file.startswith(SIGNATURE):
        return hashlib.sha256(file).digest()
    digest, start = hashlib.sha256(), len(SIGNATURE)
    while start + CHUNK_FRAME <= len(file):
        (length,) = struct.unpack_from(">I", file, start)
        if file[start + 4 : start + 8] in {b"IHDR", b"PLTE", b"tRNS", b"IDAT"}:
            digest.update(memoryview(file)[start + 4 : start + 8 + length])
        start += CHUNK_FRAME + length
    return digest.digest()


def codes_of(grid: TokenGrid) -> Codes:
    """The codes [height, width] of a grid."""
    return np.array(grid.tokens, np.uint32).reshape(grid.height, grid.width)


def kept_runs(grid: TokenGrid, most: int = RUNS) -> list[int]:
    """The smallest hashes of a grid's runs, in ascending order, each once."""
    return np.unique(_hashed_runs(codes_of(grid)))[:most].tolist()


def _hashed_runs(codes: Codes) -> NDArray[np.int64]:
    """31-bit hashes of all runs of RUN different neighbours."""
    if codes.shape[1] < RUN:
        return np.empty(0, np.int64)
    count = codes.shape[1] - RUN + 1
    columns = [codes[:, start : start + count].astype(np.uint64) for start in range(RUN)]
    differs = np.any([column != columns[0] for column in columns[1:]], axis=0)
    mixed = np.zeros_like(columns[0])
    for column, multiplier in zip(columns, _MULTIPLIERS, strict=True):
        mixed = (mixed ^ (column + np.uint64(1))) * np.uint64(multiplier)
        mixed ^= mixed >> np.uint64(29)
    return (mixed[differs] >> np.uint64(33)).astype(np.int64)


def best_overlap(part: TokenGrid, whole: TokenGrid) -> Overlap | None:
    """The place where most runs of `part` lie on equal runs of `whole`; None if no run is equal."""
    first, second = codes_of(part), codes_of(whole)
    places = _common_places(first, second)
    if places is None:
        return None
    row, column = places
    return _compare(first, second, row, column)


def _common_places(first: Codes, second: Codes) -> tuple[int, int] | None:
    """The shift (rows, columns) from `first` to `second` that most equal runs have."""
    votes: dict[tuple[int, int], int] = {}
    where: dict[bytes, list[tuple[int, int]]] = {}
    for row, column in np.ndindex(second.shape[0], max(0, second.shape[1] - RUN + 1)):
        where.setdefault(second[row, column : column + RUN].tobytes(), []).append((row, column))
    for row, column in np.ndindex(first.shape[0], max(0, first.shape[1] - RUN + 1)):
        found = where.get(first[row, column : column + RUN].tobytes(), [])
        # a run that occurs often, such as an empty sky, says little about the place
        for other_row, other_column in found[:8]:
            shift = (other_row - row, other_column - column)
            votes[shift] = votes.get(shift, 0) + 1
    return max(votes, key=lambda shift: votes[shift]) if votes else None


def _compare(first: Codes, second: Codes, row: int, column: int) -> Overlap | None:
    """Compare the cells that both grids have with this shift."""
    top, left = max(0, row), max(0, column)
    bottom = min(second.shape[0], first.shape[0] + row)
    right = min(second.shape[1], first.shape[1] + column)
    if (bottom - top) * (right - left) < FEWEST_CELLS:
        return None
    ours = first[top - row : bottom - row, left - column : right - column]
    theirs = second[top:bottom, left:right]
    cells, matching = ours.size, int(np.count_nonzero(ours == theirs))
    expected = sum(_by_chance(a, b) for a, b in zip(ours, theirs, strict=True)) / len(ours)
    return Overlap(row, column, matching, cells, log_tail(cells, matching, expected))


def _by_chance(ours: Codes, theirs: Codes) -> float:
    """Expected share of equal codes if the codes of two rows stood in random order."""
    codes, counts = np.unique(ours, return_counts=True)
    others, other_counts = np.unique(theirs, return_counts=True)
    _, here, there = np.intersect1d(codes, others, return_indices=True)
    return float(np.dot(counts[here], other_counts[there])) / (ours.size * theirs.size)


def log_tail(cells: int, matching: int, chance: float) -> float:
    """Logarithm of Chernoff's bound on the probability of at least `matching` hits among `cells`.

    chance: probability of a hit. Source: Hoeffding, "Probability inequalities for sums of bounded random
    variables", 1963, theorem 1.
    """
    share = matching / cells
    if share <= chance:
        return 0.0
    if chance <= 0.0:
        return -math.inf
    divergence = share * math.log(share / chance)
    if share < 1:
        divergence += (1 - share) * math.log((1 - share) / (1 - chance))
    return -cells * divergence
