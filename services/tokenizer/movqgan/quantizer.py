"""The codebook: the nearest code of a latent, and the vector of a code."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

LATENT_CHUNK = 1024
"""Latents that are compared with the codebook at a time: 64 MiB of distances for 16,384 codes."""


class Quantized(NamedTuple):
    """Quantised latents.

    codes: [batch, height, width] int64. vectors: codebook vectors [batch, embed_dim, height, width];
    gradients flow to the codebook. straight_through: equal to `vectors`, but gradients flow to the latents as
    without quantisation (van den Oord et al. 2017, arXiv 1711.00937, section 3.2).
    """

    codes: Tensor
    vectors: Tensor
    straight_through: Tensor


class Quantizer(nn.Module):
    """A codebook of `n_embed` vectors of length `embed_dim`; latents get the nearest one (Euclidean)."""

    def __init__(self, n_embed: int, embed_dim: int) -> None:
        super().__init__()
        # uniform, because normal_ on a meta tensor makes torch load its compiler
        vectors = nn.init.uniform_(torch.empty(n_embed, embed_dim), -1 / n_embed, 1 / n_embed)
        self.embedding = nn.Embedding.from_pretrained(vectors, freeze=False)

    def forward(self, latents: Tensor) -> Quantized:
        """Quantise latents [batch, embed_dim, height, width]."""
        codes = self.nearest_codes(latents)
        vectors = self.vectors_of(codes)
        return Quantized(codes, vectors, latents + (vectors - latents).detach())

    def nearest_codes(self, latents: Tensor) -> Tensor:
        """Latents [batch, embed_dim, height, width] -> codes [batch, height, width] int64."""
        batch, width = latents.shape[:2]
        points = latents.detach().permute(0, 2, 3, 1).reshape(-1, width)
        codebook = self.embedding.weight.detach()
        # |p - c|^2 without |p|^2, which is equal for all codes
        lengths = codebook.square().sum(dim=1)
        chunks = [
            torch.addmm(lengths, chunk, codebook.T, alpha=-2).argmin(dim=1)
            for chunk in points.split(LATENT_CHUNK)
        ]
        return torch.cat(chunks).reshape(batch, *latents.shape[2:])

    def vectors_of(self, codes: Tensor) -> Tensor:
        """Codes [batch, height, width] -> codebook vectors [batch, embed_dim, height, width]."""
        return self.embedding(codes).permute(0, 3, 1, 2).contiguous()
