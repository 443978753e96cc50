"""Find the noise of this installation in a picture: the watermark of pictures that were drawn with a secret.

The engine draws argmax(score + Gumbel noise), and the noise of a code at a place follows from secret, seed,
image and position (`shared.noise_keys`). Codes with high noise are drawn more often, so the noise of a drawn
picture's codes is higher than chance, while every other picture's is not: for the uniform numbers U behind
the noise, the sum of -log(1 - U) over the codes has a gamma distribution if the picture was not drawn with
the secret, whatever it shows. Source: Aaronson's watermark, as analysed by Kuditipudi et al., "Robust
distortion-free watermarks for language models", 2023, arXiv 2307.15593.

Seeds that the platform chooses are smaller than WATERMARK_SEEDS: a part of the codes is compared with the
noise of all of them, then all codes with that of the best. Seeds that clients choose are found if they are
small; the registry has the others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from shared.noise_keys import GAMMA, WATERMARK_SEEDS, NoiseSecret, root_of
from shared.token_grid import TokenGrid

HEADER_TOKENS: Final = 3
"""START and the picture's size, before the first cell."""
IMAGES: Final = 4
"""Candidates of a job whose noise is tried."""
STAGES: Final = ((32, 1 << 17), (128, 256))
"""How many codes are compared first, and how many of the best seeds go on; in the end all codes are."""
CHUNK: Final = 1 << 14
"""Seeds that are tried at once: their numbers fit into the processor's cache."""

Words = NDArray[np.uint64]
_FACTORS = 24
"""Numbers below 2^32 whose product is below the largest float64."""


@dataclass(frozen=True)
class Evidence:
    """How much a picture's codes look drawn with the secret.

    log_p: natural logarithm of an upper bound for the probability of such codes without the secret, with all
    seeds that were tried. seed, image: the noise that fits best. cells: codes that were compared.
    """

    log_p: float
    seed: int
    image: int
    cells: int


@dataclass(frozen=True)
class Place:
    """Where a grid lies in its picture: the picture's size and the grid's first cell, in cells."""

    rows: int
    columns: int
    row: int = 0
    column: int = 0


class WatermarkDetector:
    """Compares codes with the noise of all seeds that the platform chooses. Methods may run in any thread."""

    def __init__(self, secret: NoiseSecret, seeds: int = WATERMARK_SEEDS, images: int = IMAGES) -> None:
        self._secret = secret
        self._seeds = seeds
        self._images = images

    @cached_property
    def _roots(self) -> Words:
        """The root of every seed: 8 MB, computed in a few seconds for the first picture."""
        roots = (root_of(seed, self._secret) for seed in range(self._seeds))
        return np.fromiter(roots, np.uint64, self._seeds)

    def detect(self, grid: TokenGrid) -> Evidence:
        """The noise that fits best to the codes."""
        hashed = _lowbias32(np.array(grid.tokens, np.uint32))
        tried = [
            (positions, image)
            for positions in layouts(grid.height, grid.width)
            for image in range(self._images)
        ]
        found = [self._best(hashed, positions, image) for positions, image in tried]
        log_p, seed, image = min(found)
        return Evidence(min(0.0, log_p + math.log(self._seeds * len(tried))), seed, image, len(grid.tokens))

    def confirm(self, grid: TokenGrid, seed: int, image: int, place: Place) -> Evidence:
        """How well the noise of this seed fits, for codes that may be a part of a picture."""
        hashed = _lowbias32(np.array(grid.tokens, np.uint32))
        root = np.array([root_of(seed, self._secret)], np.uint64)
        streams = _splitmix64(root + _word(image * GAMMA))
        tried = [
            whole.reshape(place.rows, place.columns)[
                place.row : place.row + grid.height, place.column : place.column + grid.width
            ].ravel()
            for whole in layouts(place.rows, place.columns)
        ]
        total = max(float(evidence(streams, hashed, positions)[0]) for positions in tried)
        log_p = log_gamma_tail(len(hashed), total) + math.log(len(tried))
        return Evidence(min(0.0, log_p), seed, image, len(hashed))

    def _best(self, hashed: NDArray[np.uint32], positions: Words, image: int) -> tuple[float, int, int]:
        """Log of the p-value, seed and image of the seed whose noise fits best."""
        seeds = np.arange(self._seeds)
        for cells, kept in STAGES:
            if cells < len(hashed) and kept < len(seeds):
                sample = np.linspace(0, len(hashed) - 1, cells).astype(np.intp)
                scores = self._scores(seeds, image, hashed[sample], positions[sample])
                seeds = seeds[np.argpartition(scores, -kept)[-kept:]]
        scores = self._scores(seeds, image, hashed, positions)
        index = int(np.argmax(scores))
        return log_gamma_tail(len(hashed), float(scores[index])), int(seeds[index]), image

    def _scores(
        self, seeds: NDArray[np.intp], image: int, hashed: NDArray[np.uint32], positions: Words
    ) -> NDArray[np.float64]:
        """The evidence of each seed."""
        parts = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
        streams = (_splitmix64(self._roots[part] + _word(image * GAMMA)) for part in parts)
        return np.concatenate([evidence(states, hashed, positions) for states in streams])


def layouts(height: int, width: int) -> Sequence[Words]:
    """Positions of a grid's cells, counted from START: as a whole picture, and as the lower of two panels."""
    cells = np.arange(height, dtype=np.uint64)[:, None] * _word(width + 1) + np.arange(width, dtype=np.uint64)
    single = cells.ravel() + _word(HEADER_TOKENS)
    return single, single + _word(height * (width + 1))


def evidence(streams: Words, hashed: NDArray[np.uint32], positions: Words) -> NDArray[np.float64]:
    """Sum of -log(1 - U) over the codes [cells], for each state of the noise [seeds].

    hashed: `_lowbias32` of the codes. The sum is that of independent exponential variables unless the codes
    were drawn with this noise.
    """
    total = np.full(len(streams), 32 * math.log(2) * len(hashed))
    product, factors = np.ones(len(streams)), 0
    steps = positions * _word(GAMMA)
    for code, step in zip(hashed, steps, strict=True):
        keys = _splitmix64(streams + step)
        low, high = keys.astype(np.uint32), (keys >> np.uint64(32)).astype(np.uint32)
        product *= _lowbias32(code ^ low, high).astype(np.float64) + 0.5
        factors += 1
        if factors == _FACTORS:
            total -= np.log(product)
            product, factors = np.ones(len(streams)), 0
    return total - np.log(product)


def log_gamma_tail(count: int, total: float) -> float:
    """Logarithm of Chernoff's bound on the probability that `count` exponential variables reach a sum."""
    return count - total + count * math.log(total / count) if total > count else 0.0


def _word(number: int) -> np.uint64:
    return np.uint64(number & 0xFFFFFFFFFFFFFFFF)


def _splitmix64(state: Words) -> Words:
    """One output of splitmix64 for each state."""
    value = state + _word(GAMMA)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def _lowbias32(value: NDArray[np.uint32], key: NDArray[np.uint32] | int = 0) -> NDArray[np.uint32]:
    """The engine's hash of a code with its key, see `services.worker.engine.sampling.noise`."""
    value = ((value ^ (value >> np.uint32(16))) * np.uint32(0x7FEB352D)) ^ np.asarray(key, np.uint32)
    value = (value ^ (value >> np.uint32(15))) * np.uint32(0x846CA68B)
    return value ^ (value >> np.uint32(16))
