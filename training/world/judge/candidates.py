"""Compare boxes of a picture with all stamps of one size.

A stamp over a landscape is ink + clear * landscape, so the squared error of all kinds and colours in all
boxes is a few matrix products. Patterns are compared only for the best kinds.
"""

from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.world.nouns import CELL, COLOURS, KINDS, PATTERNS, Kind, Pattern, Size
from training.world.scene import Look, Thing
from training.world.stamps import inks

Floats = NDArray[np.floating]

_EXPLAINED: Final = 0.75
"""Share of the squared difference from the landscape that a thing must explain to be accepted."""
_NOISE: Final = 10.0
"""Root mean square difference from the landscape, per channel, up to which there is no thing."""
_VISIBLE: Final = 0.3
"""Share of a thing that must be visible for it to be considered."""
_CLEAR: Final = 0.998
"""Share of the landscape that is seen through a pixel that a thing does not touch."""
_FINALISTS: Final = 6
"""Pairs of box and kind that are compared in all patterns."""


class Candidate(NamedTuple):
    """A thing, and how much of the squared difference from the landscape it explains."""

    item: Thing
    gain: float


class _Bank(NamedTuple):
    """All kinds in all colours without pattern, flattened over the pixels of a box.

    ink: [kinds * colours, pixels * 3] and opacity: [kinds, pixels * 3], both of things with their shadows.
    The others are products of them: ink * ink, ink * opacity, opacity * opacity.
    """

    ink: Floats
    opacity: Floats
    ink_ink: Floats
    ink_opacity: Floats
    opacity_opacity: Floats


def best_candidate(
    shown: Floats, landscape: Floats, unclaimed: Floats, size: Size, boxes: list[tuple[int, int]]
) -> Candidate | None:
    """The thing of this size that explains most, or None if none explains enough of its box.

    shown, landscape: [height, width, 3]. unclaimed: [height, width], 0 where a thing was found already.
    """
    if not boxes:
        return None
    seen = np.stack([_piece(shown, box, size) for box in boxes])
    empty = np.stack([_piece(landscape, box, size) for box in boxes])
    weight = np.stack([_piece(np.repeat(unclaimed[..., None], 3, axis=2), box, size) for box in boxes])
    gains = _gains(seen - empty, empty, weight, _bank(size))
    visible = weight @ _bank(size).opacity.T / _bank(size).opacity.sum(axis=1)
    gains = gains.reshape(len(boxes), len(KINDS), len(COLOURS)).max(axis=2)
    gains[visible < _VISIBLE] = -np.inf
    best: Candidate | None = None
    for place in np.argsort(gains, axis=None)[::-1][:_FINALISTS]:
        box, kind = np.unravel_index(place, gains.shape)
        if gains[box, kind] <= 0:
            break
        look, gain = _final_look(seen[box], empty[box], weight[box], KINDS[kind], size)
        if look is not None and (best is None or gain > best.gain):
            best = Candidate(Thing(look, *boxes[box]), gain)
    return best


def _gains(difference: Floats, empty: Floats, weight: Floats, bank: _Bank) -> Floats:
    """How much less squared error each look has than the empty landscape, in each box: [boxes, looks].

    With t = ink - opacity * landscape, the difference that a look makes, it is 2 d t - t t.
    """
    kinds = np.repeat(np.arange(len(KINDS)), len(COLOURS))
    double = 2 * weight * difference
    through = double * empty
    gain = double @ bank.ink.T - (through @ bank.opacity.T)[:, kinds]
    gain -= weight @ bank.ink_ink.T
    gain += 2 * ((weight * empty) @ bank.ink_opacity.T)
    gain -= ((weight * empty**2) @ bank.opacity_opacity.T)[:, kinds]
    return gain


def _final_look(
    seen: Floats, empty: Floats, weight: Floats, kind: Kind, size: Size
) -> tuple[Look | None, float]:
    """The best colour and pattern of a kind in a box, and its gain; no look if it explains too little."""
    looks = [Look(kind, colour, pattern, size) for colour in COLOURS for pattern in PATTERNS]
    ink, clear = _all_looks(kind, size)
    errors = ((ink + clear * empty - seen) ** 2 * weight).sum(axis=1)
    energy = ((seen - empty) ** 2 * weight * (clear < _CLEAR)).sum()
    outside = ((seen - empty) ** 2 * weight * (clear >= _CLEAR)).sum()
    best = int(errors.argmin())
    gain = float(energy + outside - errors[best])
    covered = (weight * (clear < _CLEAR)).sum()
    if energy <= _NOISE**2 * covered or gain < _EXPLAINED * energy:
        return None, 0.0
    return looks[best], gain


def _piece(picture: Floats, box: tuple[int, int], size: Size) -> Floats:
    top, left = box[0] * CELL, box[1] * CELL
    return picture[top : top + size.pixels, left : left + size.pixels].reshape(-1)


@cache
def _all_looks(kind: Kind, size: Size) -> tuple[Floats, Floats]:
    """Ink of every colour and pattern, [looks, pixels * 3], and how clear a box with this kind is."""
    made = [inks(kind, pattern, size) for pattern in PATTERNS]
    ink = np.stack([ink for ink, _ in made], axis=1).reshape(len(COLOURS) * len(PATTERNS), -1)
    return ink, 1 - np.repeat(made[0][1].reshape(-1), 3)


@cache
def _bank(size: Size) -> _Bank:
    made = [inks(kind, Pattern.PLAIN, size) for kind in KINDS]
    ink = np.concatenate([ink.reshape(len(COLOURS), -1) for ink, _ in made])
    opacity = np.stack([np.repeat(opacity.reshape(-1), 3) for _, opacity in made])
    repeated = np.repeat(opacity, len(COLOURS), axis=0)
    return _Bank(ink, opacity, ink**2, ink * repeated, opacity**2)
