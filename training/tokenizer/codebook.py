"""First codebook for the codes of a world: codes with related meanings start with similar vectors."""

from collections.abc import Sequence

import torch
from torch import Tensor

from training.scenes import cell_codes
from training.world import codes

Meaning = cell_codes.Meaning | codes.Meaning
"""What a code stands for, in any world."""


def first_codebook(width: int, seed: int, meanings: Sequence[Meaning] | None = None) -> Tensor:
    """One vector of about unit variance for each code: [codes, width].

    A vector is the scaled sum of random vectors: one for each part of the code's meaning (class, medium,
    kind, size, cell, colour), shared with other codes, and one for the code itself.
    meanings: of all codes; None stands for the scene world's.
    """
    generator = torch.Generator().manual_seed(seed)
    parts: dict[tuple[str, object], Tensor] = {}
    vectors: list[Tensor] = []
    for code, meaning in enumerate(cell_codes.alphabet() if meanings is None else meanings):
        keys = [("says", type(meaning).__name__), ("code", code), *_parts(meaning)]
        for key in keys:
            if key not in parts:
                parts[key] = torch.randn(width, generator=generator)
        vectors.append(torch.stack([parts[key] for key in keys]).sum(0) / len(keys) ** 0.5)
    return torch.stack(vectors)


def _parts(meaning: Meaning) -> list[tuple[str, object]]:
    return [(name, getattr(meaning, name)) for name in meaning._fields]
