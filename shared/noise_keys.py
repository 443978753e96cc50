"""Keys of the sampling noise, from seed, image and position, with or without a secret of the installation.

The engine draws with them and the tokenizer service looks for them in pictures, so they are in a leaf module
that imports the standard library alone.

Without a secret the root of a seed is splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
generators", 2014), so that a seed means the same picture on every installation. With a secret it is a keyed
BLAKE2b (RFC 7693) of the seed: whoever lacks the secret can neither draw the picture of a seed nor tell
which pictures were drawn with the secret, even if all other noise of the installation is known.
"""

import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Self

GAMMA: Final = 0x9E3779B97F4A7C15
"""splitmix64's increment, the golden ratio times 2^64."""
MASK: Final = (1 << 64) - 1
SHORTEST_SECRET: Final = 16
"""Characters of the shortest accepted secret."""
WATERMARK_SEEDS: Final = 1 << 20
"""Seeds that the platform chooses are smaller than this where the noise has a secret, so that a detector can
try them all."""
SECRET_NAME: Final = re.compile(r"\d+ secret [0-9a-f]{16}")
"""The noise's part of a numerics identity with a secret."""


@dataclass(frozen=True)
class NoiseSecret:
    """The secret of an installation. fingerprint: names it in numerics identities without revealing it."""

    key: bytes = field(repr=False)
    fingerprint: str

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The secret in a setting or a file; white space around it does not count. Raises ValueError."""
        if len(text.strip()) < SHORTEST_SECRET:
            raise ValueError(f"a noise secret has at least {SHORTEST_SECRET} characters")
        key = hashlib.sha256(text.strip().encode()).digest()
        fingerprint = hashlib.blake2b(b"fingerprint", key=key, digest_size=8, person=b"luminary").hexdigest()
        return cls(key, fingerprint)


def position_key(seed: int, image: int, position: int, secret: NoiseSecret | None = None) -> int:
    """The 64-bit key of a position. seed, image, position: any integers; they are taken modulo 2^64."""
    return splitmix64(stream_state(seed, image, secret) + position * GAMMA)


@lru_cache(maxsize=1024)
def stream_state(seed: int, image: int, secret: NoiseSecret | None = None) -> int:
    """The splitmix64 state of position 0 of an image."""
    return splitmix64(root_of(seed, secret) + image * GAMMA)


def root_of(seed: int, secret: NoiseSecret | None) -> int:
    """The 64-bit number that all noise of a seed follows from."""
    if secret is None:
        return splitmix64(seed)
    message = (seed & MASK).to_bytes(8, "little")
    return int.from_bytes(hashlib.blake2b(message, key=secret.key, digest_size=8).digest(), "little")


def splitmix64(state: int) -> int:
    """One output of the splitmix64 generator."""
    value = (state + GAMMA) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)
