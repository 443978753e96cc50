"""Gumbel noise as a function of (seed, image, position, token), with the same bits on every device.

Noise is computed from its place, not drawn from a sequential generator: it does not depend on the order of
calls, the batch, the worker or the device.

1. `shared.noise_keys` turns seed, image and position, and the installation's secret if it has one, into two
   32-bit keys per row.
2. lowbias32 (Wellons: "Prospecting for hash functions", 2018) mixes a token with the keys, one before its
   first multiplication and one after, into a uniform 32-bit integer.
3. Interpolation in a table turns the integer into standard Gumbel noise.

Why a table: logarithms are not correctly rounded (PyTorch's float32 logarithm is wrong in the last bit in 7%
of cases on CPUs), and devices and libraries differ in which results are wrong. Steps 1 and 2 are integer
arithmetic modulo 2^32 or 2^64. Step 3 converts an integer, multiplies once and adds once, in separate
operations; IEEE 754 defines the rounding of each. Never fuse them: a fused multiply-add rounds differently.
"""

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from math import ldexp, log, log1p
from typing import Final

import torch
from torch import Tensor

from shared.noise_keys import NoiseSecret, position_key

NOISE_VERSION: Final = 1
"""Raise this when the noise of any place changes: every picture changes with it."""

_KNOTS_PER_OCTAVE = 128
"""Knots are the float32 numbers whose lower 16 bits are zero: 7 bits of mantissa are left."""

_SMALLEST_KNOT = 0x3F00
"""Upper half of the float32 0.5, the smallest magnitude that occurs."""


def gumbel_noise(
    seed: int, image: int, positions: Iterable[int], tokens: Tensor, secret: NoiseSecret | None = None
) -> Tensor:
    """Standard Gumbel noise for every pair of a position and a token.

    seed, image, positions: any integers; they are taken modulo 2^64. tokens: [n] from 0 to 2^31 - 1.
    Returns [positions, n] float32 on the tokens' device, between -3.14 and 22.88 (the uniform integer has 32
    bits). It deviates from the exact Gumbel variable of its uniform integer by at most 1e-5.
    """
    keys = [noise_key(seed, image, position, secret) for position in positions]
    return gumbel_noise_of(keys, _lowbias32(tokens.to(torch.int32)))


def noise_name(secret: NoiseSecret | None) -> int | str:
    """The noise's part of the numerics identity: its version, and which secret it has."""
    return NOISE_VERSION if secret is None else f"{NOISE_VERSION} secret {secret.fingerprint}"


def noise_key(seed: int, image: int, position: int, secret: NoiseSecret | None = None) -> int:
    """The key of a position for `gumbel_noise_of`: a signed 64-bit integer."""
    key = position_key(seed, image, position, secret)
    return key - (1 << 64) if key >> 63 else key


@lru_cache(maxsize=8)
def hashed_tokens(count: int, device: torch.device) -> Tensor:
    """Hashes [count] of the first tokens for `gumbel_noise_of`; they do not depend on the position."""
    return _lowbias32(torch.arange(count, dtype=torch.int32, device=device))


def gumbel_noise_of(keys: Sequence[int], hashed: Tensor) -> Tensor:
    """Like `gumbel_noise`, for positions that may belong to several images.

    keys: see `noise_key`. hashed: [n], see `hashed_tokens`.
    """
    halves = torch.tensor(keys, dtype=torch.int64, device=hashed.device).view(torch.int32).view(-1, 2, 1)
    return _to_gumbel(_lowbias32(hashed ^ halves[:, 0], halves[:, 1]))


def _lowbias32(value: Tensor, key: Tensor | int = 0) -> Tensor:
    """Hash each int32; `key` is mixed in after the first multiplication. Masks make the shifts logical."""
    value = (value ^ ((value >> 16) & 0xFFFF)).mul_(0x7FEB352D).bitwise_xor_(key)
    value = value.bitwise_xor_((value >> 15).bitwise_and_(0x1FFFF)).mul_(0x846CA68B - (1 << 32))
    return value.bitwise_xor_((value >> 16).bitwise_and_(0xFFFF))


def _to_gumbel(uniform: Tensor) -> Tensor:
    """Map uniform int32 to the Gumbel distribution, through the nearest float32 of `uniform` + 1/2.

    The sign of that float selects the half of the distribution. Its magnitude is the probability of the tail
    beyond the result, in units of 2^-32; floating point makes the knots as dense in the tails, relatively, as
    elsewhere.
    """
    bits = uniform.to(torch.float32).add_(0.5).view(torch.int32)
    knot = ((bits >> 16) & 0xFFFF).flatten()
    values, slopes = _table(uniform.device)
    noise = (bits & 0xFFFF).to(torch.float32)
    noise.mul_(slopes.index_select(0, knot).view_as(noise))
    return noise.add_(values.index_select(0, knot).view_as(noise))


@cache
def _table(device: torch.device) -> tuple[Tensor, Tensor]:
    """Values at the knots and slopes after them, [65536] float32 each. Index: the upper half of a float32.

    Slopes are differences of the rounded values and therefore exact. Only the rounding of the values could
    depend on the platform's logarithm, and no value is close enough to a tie for that.
    """
    tails = [
        ldexp(1 + step / _KNOTS_PER_OCTAVE, octave - 32)
        for octave in range(-1, 31)
        for step in range(_KNOTS_PER_OCTAVE)
    ]
    tails.append(0.5)
    values, slopes = torch.zeros(2, 1 << 16, dtype=torch.float32)
    for first, half in (
        (_SMALLEST_KNOT, [-log(-log1p(-tail)) for tail in tails]),
        (_SMALLEST_KNOT + 0x8000, [-log(-log(tail)) for tail in tails]),
    ):
        part = slice(first, first + len(tails))
        values[part] = torch.tensor(half, dtype=torch.float64)
        # no number lies beyond the last knot, so it needs no slope
        slopes[part][:-1] = values[part].diff() * 2.0**-16
    return values.to(device), slopes.to(device)
