"""Causal attention over whole sequences of equal length, without a cache: for training and parity checks."""

import torch.nn.functional as F
from torch import Tensor


class DenseCausalAttention:
    """Attention over rows [batch * length], sequence after sequence, the same in every layer."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        del layer
        # [batch * length, heads, head_dim] -> [batch, heads, length, head_dim]
        query, key, value = (
            rows.unflatten(0, (-1, self.length)).transpose(1, 2) for rows in (query, key, value)
        )
        grouped = query.shape[1] != key.shape[1]
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=grouped)
        return attended.transpose(1, 2).flatten(0, 1)
