"""The decoder: a Chameleon-type transformer over a packed batch of rows.

A row is one token of one stream. The transformer knows nothing of sequences, caches or masks: attention is a
parameter, so that training, parity checks and the engine run the same layers.

Sources: Chameleon (arXiv 2405.09818), section 2.3; Lumina-mGPT 2.0 (arXiv 2507.17801), section 3.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from services.worker.engine.model.config import ModelConfig
from services.worker.engine.model.kv_cache import KVCache, Segment
from services.worker.engine.model.rotary import RotaryEmbedding, rotate


class Attend(Protocol):
    """Causal attention of every row over its stream."""

    def __call__(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """query [rows, heads, head_dim], key and value [rows, kv_heads, head_dim] -> like query."""
        ...


class WholePass(Protocol):
    """All layers and the last norm in one call, instead of layer by layer."""

    def __call__(
        self, token_ids: Tensor, positions: Tensor, cache: KVCache, segments: Sequence[Segment]
    ) -> Tensor:
        """token_ids and positions [rows], which segments cover -> final hidden states [rows, hidden]."""
        ...


class RMSNorm(nn.Module):
    """Root-mean-square norm that casts back to the input's dtype before it scales, as the reference does."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, inputs: Tensor) -> Tensor:
        return self.weight * F.rms_norm(inputs, inputs.shape[-1:], eps=self.eps)


class HeadAffine(nn.Module):
    """Weight and bias after the norm of query or key heads, one pair per model-parallel shard.

    Both are [model_parallel_size, head_dim]; the heads of a shard share its pair.
    """

    def __init__(self, heads: int, config: ModelConfig) -> None:
        super().__init__()
        shards = config.model_parallel_size
        self.weight = nn.Parameter(torch.ones(shards, config.head_dim))
        self.bias = nn.Parameter(torch.zeros(shards, config.head_dim))
        self.heads_per_shard = heads // shards

    def by_head(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of each head: [heads, head_dim]."""
        heads = self.heads_per_shard
        return self.weight.repeat_interleave(heads, 0), self.bias.repeat_interleave(heads, 0)


class HeadNorms(nn.Module):
    """LayerNorm of each query and key head, in one call for both.

    The epsilon is the reference's constant 1e-5, not `rms_norm_eps`.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.q_norm = HeadAffine(config.num_attention_heads, config)
        self.k_norm = HeadAffine(config.num_key_value_heads, config)
        self._frozen: tuple[Tensor, Tensor] | None = None

    def freeze(self) -> None:
        """Expand weights and biases to all heads once, for parameters that no longer change."""
        self._frozen = self.affine()

    def affine(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of all query heads, then all key heads: each [heads, head_dim]."""
        pairs = zip(self.q_norm.by_head(), self.k_norm.by_head(), strict=True)
        weight, bias = (torch.cat(pair) for pair in pairs)
        return weight, bias

    def forward(self, heads: Tensor) -> Tensor:
        """[rows, query heads then key heads, head_dim] -> the same."""
        weight, bias = self._frozen or self.affine()
        return F.layer_norm(heads, heads.shape[-1:], eps=1e-5) * weight + bias


class Projections(nn.Module):
    """Linear layers of one input, their outputs concatenated; a kernel may compute them in one product."""

    def __init__(self, inputs: int, outputs: Mapping[str, int], *, bias: bool) -> None:
        super().__init__()
        self.names = tuple(outputs)
        for name, size in outputs.items():
            self.add_module(name, nn.Linear(inputs, size, bias=bias))

    def parts(self) -> list[nn.Linear]:
        """The linear layers, in the order of their outputs."""
        return [part for part in self.children() if isinstance(part, nn.Linear)]

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.cat([part(inputs) for part in self.parts()], -1)


class SelfAttention(nn.Module):
    """Grouped-query attention with normalised heads and rotary position embedding."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.head_dim = config.head_dim
        query_size = config.num_attention_heads * config.head_dim
        key_size = config.num_key_value_heads * config.head_dim
        self.qkv = Projections(
            config.hidden_size,
            {"q_proj": query_size, "k_proj": key_size, "v_proj": key_size},
            bias=config.attention_bias,
        )
        self.o_proj = nn.Linear(query_size, config.hidden_size, bias=config.attention_bias)
        self.norms = HeadNorms(config)
        self.head_counts = (config.num_attention_heads, config.num_key_value_heads)

    def forward(self, inputs: Tensor, rotary: tuple[Tensor, Tensor], attend: Attend) -> Tensor:
        queries, keys = self.head_counts
        heads = self.qkv(inputs).unflatten(-1, (-1, self.head_dim))
        rotated, value = heads.split((queries + keys, keys), -2)
        query, key = rotate(self.norms(rotated), rotary).split((queries, keys), -2)
        return self.o_proj(attend(self.layer, query, key, value).flatten(-2))


class FeedForward(nn.Module):
    """SwiGLU feed-forward layer."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        inner = config.intermediate_size
        self.gate_up = Projections(
            config.hidden_size, {"gate_proj": inner, "up_proj": inner}, bias=config.mlp_bias
        )
        self.down_proj = nn.Linear(inner, config.hidden_size, bias=config.mlp_bias)

    def forward(self, inputs: Tensor) -> Tensor:
        gate, up = self.gate_up(inputs).chunk(2, -1)
        return self.down_proj(silu(gate) * up)


def silu(gate: Tensor) -> Tensor:
    """gate * sigmoid(gate), with bits that do not depend on the number of rows and threads.

    PyTorch's float32 SiLU on the CPU splits its input among threads at any place, and rounds the last numbers
    of each piece differently. Its exponential does not; but where that overflows it has no gradient, so
    training uses PyTorch's SiLU.
    """
    if gate.dtype is not torch.float32 or gate.device.type != "cpu" or torch.is_grad_enabled():
        return F.silu(gate)
    return gate / (1 + torch.exp(-gate))


class DecoderLayer(nn.Module):
    """Attention and feed-forward with residuals; swin_norm normalises their outputs, not their inputs."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.swin_norm = config.swin_norm
        self.self_attn = SelfAttention(config, layer)
        self.mlp = FeedForward(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def drop_projections(self) -> None:
        """Delete the linear layers, after their weights have been packed elsewhere."""
        del self.self_attn.qkv, self.self_attn.o_proj, self.mlp.gate_up, self.mlp.down_proj

    def forward(self, inputs: Tensor, rotary: tuple[Tensor, Tensor], attend: Attend) -> Tensor:
        if self.swin_norm:
            inputs = inputs + self.input_layernorm(self.self_attn(inputs, rotary, attend))
            return inputs + self.post_attention_layernorm(self.mlp(inputs))
        inputs = inputs + self.self_attn(self.input_layernorm(inputs), rotary, attend)
        return inputs + self.mlp(self.post_attention_layernorm(inputs))


class Transformer(nn.Module):
    """Embedding, decoder layers, last norm; `lm_head` is applied separately, where logits are needed.

    fewest_rows: passes with fewer rows are not faster. whole_pass: runs the layers instead of `forward` once
    their weights have been packed; None otherwise.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        # uniform, because normal_ on a meta tensor makes torch load its compiler, which takes over a second
        vectors = nn.init.uniform_(torch.empty(config.vocab_size, config.hidden_size), -1, 1)
        self.embed_tokens = nn.Embedding.from_pretrained(vectors, freeze=False)
        self.layers = nn.ModuleList(DecoderLayer(config, layer) for layer in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.lm_head: nn.Module = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.embed_tokens.weight
        self.image_head: nn.Module | None = None
        self.fewest_rows = 2
        self.whole_pass: WholePass | None = None
        self.rotary = RotaryEmbedding(config)

    def forward(self, token_ids: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """token_ids and positions [rows] -> final hidden states [rows, hidden], after the last norm."""
        hidden = self.embed_tokens(token_ids)
        rotary = self.rotary(positions, hidden.dtype)
        for layer in self.layers:
            hidden = layer(hidden, rotary, attend)
        return self.norm(hidden)

    def logits(self, hidden: Tensor) -> Tensor:
        """Float32 logits over the whole vocabulary: [rows, hidden] -> [rows, vocabulary]."""
        return self.lm_head(hidden).float()

    def image_logits(self, hidden: Tensor, image_ids: range) -> Tensor:
        """Float32 logits of the image codes only: [rows, hidden] -> [rows, codes]."""
        if self.image_head is None:
            return self.logits(hidden)[:, image_ids.start : image_ids.stop]
        return self.image_head(hidden).float()


def checkpoint_name(parameter: str) -> str:
    """The public name of a parameter of `Transformer`, as in the published safetensors."""
    if parameter.startswith("lm_head."):
        return parameter
    return "model." + parameter.replace(".qkv.", ".").replace(".gate_up.", ".").replace(".norms.", ".")
