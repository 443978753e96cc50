"""Run the decoder on given tokens, as the engine does: through the pool of keys and values, or without."""

import torch
from torch import Tensor, nn

from services.worker.engine.batch import hidden_states
from services.worker.engine.dense_attention import DenseCausalAttention
from services.worker.engine.kv_cache import BLOCK_TOKENS, KVCache, Segment, run_length
from services.worker.engine.loading import LoadedModel
from services.worker.engine.row_shapes import MAX_ROWS


class CachedStream:
    """One stream that is fed piece by piece. Its run does not begin where the pool begins."""

    def __init__(self, loaded: LoadedModel, length: int) -> None:
        """length: tokens that will be fed in all."""
        lengths = [BLOCK_TOKENS, run_length(length)]
        self.loaded = loaded
        self.cache = KVCache(loaded.config, sum(lengths), dtype=loaded.precision.dtype, device=loaded.device)
        runs = self.cache.allocator.allocate(lengths)
        assert runs is not None
        self.run = runs[1]
        self.position = 0

    @torch.inference_mode()
    def feed(self, tokens: list[int]) -> Tensor:
        """Final hidden states of the tokens, [tokens, hidden]."""
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
    """[count, vocabulary] logits of the last `count` tokens of a fresh stream."""
    return loaded.model.logits(CachedStream(loaded, len(tokens)).feed(tokens)[-count:])


@torch.inference_mode()
def dense_states(loaded: LoadedModel, token_ids: Tensor) -> tuple[Tensor, Tensor]:
    """One prefill without a cache: hidden states [layers + 1, tokens, hidden], logits [tokens, vocabulary].

    States: the embeddings, what each layer but the last gives, and the output of the last norm.
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
