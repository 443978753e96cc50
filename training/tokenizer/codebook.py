"""First codebook for the codes of the scene world: codes with related meanings start with similar vectors."""

import torch
from torch import Tensor

from training.scenes.cell_codes import Meaning, alphabet


def first_codebook(width: int, seed: int) -> Tensor:
    """One vector of about unit variance for each code: [codes, width].

    A vector is the scaled sum of random vectors: one for each part of the code's meaning (class, medium,
    kind, size, cell, colour), shared with other codes, and one for the code itself.
    """
    generator = torch.Generator().manual_seed(seed)
    parts: dict[tuple[str, object], Tensor] = {}
    vectors: list[Tensor] = []
    for code, meaning in enumerate(alphabet()):
        keys = [("says", type(meaning).__name__), ("code", code), *_parts(meaning)]
        for key in keys:
            if key not in parts:
                parts[key] = torch.randn(width, generator=generator)
        vectors.append(torch.stack([parts[key] for key in keys]).sum(0) / len(keys) ** 0.5)
    return torch.stack(vectors)


def _parts(meaning: Meaning) -> list[tuple[str, object]]:
    return [(name, getattr(meaning, name)) for name in meaning._fields]
