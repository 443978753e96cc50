"""The reference's logits processors, built from the engine's functions."""

from math import inf

import torch
from torch import Tensor

from services.worker.engine.layout.image_grammar import Allowed, Forced, Free, GrammarState
from services.worker.engine.layout.vocabulary import Vocabulary
from services.worker.engine.sampling.filters import keep_top_k


def constrain(vocabulary: Vocabulary, scores: Tensor, allowed: Allowed) -> Tensor:
    """[vocabulary] scores with -inf for tokens that are not allowed; a forced token gets the score 0."""
    if allowed is Free.ANYTHING:
        return scores
    kept = torch.full_like(scores, -inf)
    if isinstance(allowed, Forced):
        kept[allowed.token] = 0
    else:
        first = vocabulary.first_image_token
        codes = slice(first, first + vocabulary.image_code_count)
        kept[codes] = scores[codes]
    return kept


def top_k_at(state: GrammarState, *, image_top_k: int, text_top_k: int) -> int:
    """The reference's k: `image_top_k` after the image start token, otherwise `text_top_k`."""
    return image_top_k if state.offset > 0 else text_top_k


def keep(scores: Tensor, k: int) -> Tensor:
    """[vocabulary] scores with -inf for all but the k largest."""
    return keep_top_k(scores[None], k)[0]
