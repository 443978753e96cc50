"""Gumbel noise from a counter: the same numbers on every device, in any batch, at any time.

noise(seed, image, position, token) is an integer hash turned into a Gumbel variate with additions and
multiplications only. Those are rounded exactly by IEEE 754, while a library's logarithm differs in its last
bit between devices, and even between the body and the tail of one vectorised loop.

Sources: splitmix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators") for the
keys; the 32-bit finaliser of MurmurHash3 (Appleby) for the tokens; Maddison et al. 2014, section 2, for the
Gumbel-max trick.
"""

import math
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor

_MASK64 = (1 << 64) - 1
_LOG_BITS = 12
"""The logarithm of a mantissa is read from 2^12 chords: at most 3e-8 off, 1.2e-4 relative next to one."""


def gumbel_noise(seed: int, image: int, positions: Tensor, tokens: Tensor) -> Tensor:
    """Standard Gumbel noise, [positions, tokens] float32.

    seed: any integer; its low 64 bits count. positions [rows] and tokens [n]: int64, any values.
    """
    device = positions.device
    keys = [_key(seed, image, position) for position in positions.tolist()]
    first, second = torch.tensor(keys, dtype=torch.int32, device=device).view(-1, 2, 1).unbind(1)
    bits = _finalise(_finalise(tokens.to(torch.int32) * _signed(0x9E3779B1) + first) ^ second)
    # The middle of each of 2^32 steps, never 0 or 1; exact in float64.
    uniform = (bits.double() + (2**31 + 0.5)) * 2.0**-32
    exponential = -_log(1.0 - uniform)
    return (-_log(exponential)).float()


def _key(seed: int, image: int, position: int) -> tuple[int, int]:
    """Two 32-bit keys of one place of one picture."""
    state = _splitmix64(_splitmix64(_splitmix64(seed & _MASK64) + image) + position)
    return _signed(state & 0xFFFFFFFF), _signed(state >> 32)


def _splitmix64(state: int) -> int:
    state = (state + 0x9E3779B97F4A7C15) & _MASK64
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK64
    return state ^ (state >> 31)


def _finalise(bits: Tensor) -> Tensor:
    """MurmurHash3's fmix32 on int32, whose products wrap; right shifts are made logical by a mask."""
    bits = (bits ^ ((bits >> 16) & 0xFFFF)) * _signed(0x85EBCA6B)
    bits = (bits ^ ((bits >> 13) & 0x7FFFF)) * _signed(0xC2B2AE35)
    return bits ^ ((bits >> 16) & 0xFFFF)


def _signed(word: int) -> int:
    """A 32-bit word as the int32 with the same bits."""
    return word - (1 << 32) if word >= 1 << 31 else word


def _log(values: Tensor) -> Tensor:
    """Natural logarithm of positive float64 by exponent and chords, in exactly rounded steps."""
    mantissas, exponents = torch.frexp(values)
    scaled = (mantissas - 0.5) * 2.0 ** (_LOG_BITS + 1)
    chord = scaled.to(torch.int64)
    starts, slopes = _chords(values.device)
    return exponents * math.log(2) + (starts[chord] + slopes[chord] * (scaled - chord))


@cache
def _chords(device: torch.device) -> tuple[Tensor, Tensor]:
    """Start and rise of log over [0.5, 1) cut into 2^12 chords."""
    count = 1 << _LOG_BITS
    logs = [math.log(0.5 + index / (2 * count)) for index in range(count)] + [0.0]
    starts = torch.tensor(logs[:-1], dtype=torch.float64, device=device)
    rises = [later - earlier for earlier, later in pairwise(logs)]
    return starts, torch.tensor(rises, dtype=torch.float64, device=device)
