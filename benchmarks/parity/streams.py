"""Run the decoder on given tokens, with the engine's key-value cache or without a cache."""

import torch
from torch import Tensor, nn

from services.worker.engine.batch import hidden_states
from services.worker.engine.loading.load import LoadedModel
from services.worker.engine.model.dense_attention import DenseCausalAttention
from services.worker.engine.model.kv_cache import BLOCK_TOKENS, KVCache, Segment, run_length
from services.worker.engine.row_shapes import MAX_ROWS


class CachedStream:
    """One stream in a key-value cache, fed in pieces. Its run does not start at index 0 of the cache."""

    def __init__(self, loaded: LoadedModel, length: int) -> None:
        """length: total number of tokens that will be fed."""
        lengths = [BLOCK_TOKENS, run_length(length)]
        self.loaded = loaded
        self.cache = KVCache(loaded.config, sum(lengths), dtype=loaded.precision.dtype, device=loaded.device)
        runs = self.cache.allocator.allocate(lengths)
        assert runs is not None
        self.run = runs[1]
        self.position = 0

    @torch.inference_mode()
    def feed(self, tokens: list[int]) -> Tensor:
        """Feed the tokens; return their final hidden states, [tokens, hidden]."""
        pieces = [tokens[start : start + MAX_ROWS] for start in range(0, len(tokens), MAX_ROWS)]
        return torch.cat([self._feed_pass(piece) for piece in pieces])

    def _feed_pass(self, tokens: list[int]) -> Tensor:
        positions = list(range(self.position, self.position + len(tokens)))
        segment = Segment(0, len(tokens), self.position, self.run)
        hidden = hidden_states(self.loaded.model, self.cache, tokens, positions, [segment])
        self.position += len(tokens)
        return hidden[: len(tokens)]


@torch.inference_mode()
def last_logits(loaded: LoadedModel, tokens: list[int], count: int = 1) -> Tensor:
    """[count, vocabulary] logits of the last `count` tokens, computed in a new stream."""
    return loaded.model.logits(CachedStream(loaded, len(tokens)).feed(tokens)[-count:])


@torch.inference_mode()
def dense_states(loaded: LoadedModel, token_ids: Tensor) -> tuple[Tensor, Tensor]:
    """One prefill without a cache: hidden states [layers + 1, tokens, hidden], logits [tokens, vocabulary].

    The states are the embeddings, the outputs of all layers but the last, and the output of the final norm.
    """
    states: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        states.append(output)

    model = loaded.model
    watched = [model.embed_tokens, *list(model.layers)[:-1]]
    watchers = [module.register_forward_hook(keep) for module in watched]
    try:
        positions = torch.arange(len(token_ids), device=loaded.device)
        final = model(token_ids.to(loaded.device), positions, DenseCausalAttention(len(token_ids)))
    finally:
        for watcher in watchers:
            watcher.remove()
    return torch.stack([*states, final]), model.logits(final)
