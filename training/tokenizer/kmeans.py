"""Weighted k-means, for a codebook that is fitted to latents at once."""

import torch
from torch import Tensor

_CHUNK = 4096


def kmeans(points: Tensor, weights: Tensor, count: int, *, rounds: int, seed: int) -> Tensor:
    """`count` centres for [points, width] with [points] weights: [count, width], heaviest first.

    Centres that end up empty move to points that are badly represented, in proportion to their weighted
    squared error, as k-means++ places its seeds (Arthur and Vassilvitskii 2007).
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.multinomial(weights, min(count, len(points)), generator=generator)
    centres = points[chosen].clone()
    mass = torch.zeros(len(centres))
    for turn in range(rounds):
        codes, errors = nearest(points, centres)
        mass = torch.zeros(len(centres)).index_add_(0, codes, weights)
        sums = torch.zeros_like(centres).index_add_(0, codes, points * weights[:, None])
        filled = mass > 0
        centres[filled] = sums[filled] / mass[filled, None]
        empty = (mass < mass.mean() * 0.02).nonzero().squeeze(1)
        if len(empty) and turn < rounds * 3 // 4:
            strays = torch.multinomial(errors * weights + 1e-12, len(empty), generator=generator)
            centres[empty] = points[strays]
    return centres[mass.argsort(descending=True, stable=True)]


def nearest(points: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Index of the nearest centre and squared distance to it, for every point."""
    lengths = centres.square().sum(1)
    codes: list[Tensor] = []
    errors: list[Tensor] = []
    for chunk in points.split(_CHUNK):
        distance, code = torch.addmm(lengths, chunk, centres.T, alpha=-2).min(1)
        codes.append(code)
        errors.append((distance + chunk.square().sum(1)).clamp_min(0))
    return torch.cat(codes), torch.cat(errors)
