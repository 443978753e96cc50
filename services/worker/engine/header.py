"""Let the model draw START and the picture's size itself, as the reference does.

Used only to compare with the reference: it draws these three tokens without guidance, from the whole
vocabulary, and may write text before START. In requests of the platform the three tokens are given.
"""

import torch
from torch import Tensor

from services.worker.engine.batch import hidden_states
from services.worker.engine.errors import GrammarError
from services.worker.engine.layout.open_plan import OpenPlan
from services.worker.engine.layout.sequence_plan import SequencePlan
from services.worker.engine.loading.load import LoadedModel
from services.worker.engine.model.kv_cache import CacheRun, KVCache, Segment, run_length
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sampling.filters import SamplingParameters, filter_scores
from services.worker.engine.sampling.noise import gumbel_noise

LONGEST_TEXT = 256
"""Largest number of tokens that the model may draw before its picture's size is known."""


@torch.inference_mode()
def draw_header(loaded: LoadedModel, request: GenerationRequest, opened: OpenPlan) -> SequencePlan:
    """Sample until the size is known. Raises GrammarError if the model does not start an image."""
    prompt_length = len(opened.tokens)
    while opened.plan is None:
        said = len(opened.tokens) - prompt_length
        if said > LONGEST_TEXT:
            raise GrammarError(f"the model did not start an image within {LONGEST_TEXT} tokens")
        in_image = opened.state.offset > 0
        logits = _next_logits(loaded, opened.tokens)
        opened = opened.extend(_sample(loaded, logits, request, said, in_image=in_image))
    return opened.plan


def _next_logits(loaded: LoadedModel, tokens: tuple[int, ...]) -> Tensor:
    """Logits [1, vocabulary] of the token after `tokens`."""
    count, room = len(tokens), run_length(len(tokens))
    cache = KVCache(loaded.config, room, dtype=loaded.precision.dtype, device=loaded.device)
    segment = Segment(0, count, 0, CacheRun(0, room))
    hidden = hidden_states(loaded.model, cache, list(tokens), list(range(count)), [segment])
    return loaded.model.logits(hidden[count - 1 : count])


def _sample(
    loaded: LoadedModel, logits: Tensor, request: GenerationRequest, said: int, *, in_image: bool
) -> int:
    asked = request.sampling
    parameters = SamplingParameters(
        guidance_scale=1.0,
        top_k=asked.top_k if in_image else request.text_top_k,
        top_p=asked.top_p,
        temperature=asked.temperature,
        seed=asked.seed,
    )
    scores = filter_scores(logits, parameters)
    if parameters.temperature > 0:
        # noise of text has negative offsets, so that it differs from the noise of image tokens
        ids = torch.arange(logits.shape[1], device=logits.device)
        scores = scores + gumbel_noise(asked.seed, request.image, [-1 - said], ids, loaded.noise_secret)
    return int(scores.argmax(-1))
