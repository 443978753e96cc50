"""What the reference's processors do to scores, put together from the engine's own pieces."""

from math import inf

import torch
from torch import Tensor

from services.worker.engine.image_grammar import Allowed, Forced, Free, GrammarState
from services.worker.engine.sampling import keep_top_k
from services.worker.engine.vocabulary import Vocabulary


def constrain(vocabulary: Vocabulary, scores: Tensor, allowed: Allowed) -> Tensor:
    """[vocabulary] scores with -inf where no token may stand; a forced token has score 0."""
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
    """Which top-k the reference applies: inside an image, from START on, or outside."""
    return image_top_k if state.offset > 0 else text_top_k


def keep(scores: Tensor, k: int) -> Tensor:
    """Top-k of [vocabulary] scores."""
    return keep_top_k(scores[None], k)[0]
