"""Limits of the seeds that requests may have, and of those that the platform chooses.

The engine itself accepts any 64 bits; this module imports only the standard library.
"""

from typing import Final

SEED_LIMIT: Final = 1 << 63
"""Seeds of requests are smaller than this, so that they fit into a signed 64-bit integer."""
CHOSEN_SEED_LIMIT: Final = 1 << 53
"""Chosen seeds are smaller than this: JavaScript rounds larger integers, and would repeat another picture.
Where the noise has a secret, they are below `shared.noise_keys.WATERMARK_SEEDS`."""
