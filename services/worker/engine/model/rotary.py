"""Rotary position embedding in the half-split layout. Source: RoFormer (arXiv 2104.09864), section 3.4."""

import torch
from torch import Tensor, nn

from services.worker.engine.model.config import ModelConfig


class RotaryEmbedding(nn.Module):
    """Cosines and sines of positions, computed in float32 and then cast, as the reference does."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.theta = config.rope_theta
        self.scale = config.rope_scaling_factor

    def forward(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """positions [rows] -> cos and signed sin, each [rows, 1, head_dim]; the 1 is the axis of heads.

        The sine is negative in the first half of a head, so that `rotate` needs no subtraction.
        """
        halves = torch.arange(0, self.head_dim, 2, device=positions.device).float() / self.head_dim
        frequencies = 1.0 / self.theta**halves
        angles = (positions.float() / self.scale)[:, None] * frequencies
        cos, sin = angles.cos()[:, None], angles.sin()[:, None]
        return torch.cat((cos, cos), -1).to(dtype), torch.cat((-sin, sin), -1).to(dtype)


def rotate(heads: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate each pair (i, i + head_dim/2) of heads [rows, heads, head_dim] by its angle."""
    cos, signed_sin = rotary
    first, second = heads.chunk(2, -1)
    return heads * cos + torch.cat((second, first), -1) * signed_sin
