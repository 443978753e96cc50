"""Causal attention over a training batch."""

import torch
from torch import Tensor

from services.worker.engine.model.config import ModelConfig
from services.worker.engine.model.dense_attention import DenseCausalAttention
from services.worker.engine.model.transformer import Attend

_SHORT = 512
"""Up to this length the attention scores of a batch are small enough to keep for the backward pass."""


def training_attention(config: ModelConfig, length: int, example: Tensor) -> Attend:
    """The faster attention for sequences of `length` tokens. example: a weight with the dtype and device."""
    grouped = config.num_key_value_heads != config.num_attention_heads
    if example.device.type != "cpu" or length > _SHORT or grouped:
        return DenseCausalAttention(length)
    return WrittenOutAttention(length, example.dtype)


class WrittenOutAttention:
    """Attention as two matrix products and a softmax.

    It takes half the time of the CPU's flash kernel, which computes the scores twice. Rows are
    [batch * length], sequence by sequence.
    """

    def __init__(self, length: int, dtype: torch.dtype) -> None:
        self.length = length
        self.hidden = torch.full((length, length), -torch.inf, dtype=dtype).triu(1)

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        del layer
        heads, head_dim = query.shape[1:]
        # [batch * length, heads, head_dim] -> [batch * heads, length, head_dim]
        queries, keys, values = (
            rows.unflatten(0, (-1, self.length)).transpose(1, 2).reshape(-1, self.length, head_dim)
            for rows in (query * head_dim**-0.5, key, value)
        )
        scores = torch.bmm(queries, keys.transpose(1, 2)) + self.hidden.to(queries.dtype)
        attended = torch.bmm(scores.softmax(-1), values)
        return attended.unflatten(0, (-1, heads)).transpose(1, 2).flatten(0, 1)
