"""From guided logits to scores whose noisy argmax is the sample."""

from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor

from services.worker.engine.errors import PromptError
from services.worker.engine.guidance import GuidanceSchedule


@dataclass(frozen=True)
class SamplingParameters:
    """How tokens are drawn. Raises PromptError for values that mean nothing.

    guidance_scale: 1 is off. top_k: None draws among all codes. temperature: 0 is greedy.
    """

    guidance_scale: float = 4.0
    guidance_schedule: str = "constant"
    top_k: int | None = None
    top_p: float = 1.0
    temperature: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        faults = {
            "guidance_scale must be a finite number of at least 0": isfinite(self.guidance_scale)
            and self.guidance_scale >= 0,
            f"guidance_schedule must be one of {', '.join(GuidanceSchedule)}": self.guidance_schedule
            in tuple(GuidanceSchedule),
            "top_k must be at least 1": self.top_k is None or self.top_k >= 1,
            "top_p must lie above 0 and at most at 1": 0 < self.top_p <= 1,
            "temperature must be a finite number of at least 0": isfinite(self.temperature)
            and self.temperature >= 0,
        }
        wrong = [fault for fault, holds in faults.items() if not holds]
        if wrong:
            raise PromptError("; ".join(wrong))


def filter_scores(logits: Tensor, parameters: SamplingParameters) -> Tensor:
    """Top-k, temperature, top-p, in the reference's order; what is filtered out becomes -inf.

    logits: [rows, tokens] float32, after guidance and constraints. Add Gumbel noise and take the argmax to
    draw; without noise the argmax is the greedy choice.
    """
    scores = logits if parameters.top_k is None else keep_top_k(logits, parameters.top_k)
    if parameters.temperature > 0:
        scores = scores / parameters.temperature
    return scores if parameters.top_p == 1 else keep_top_p(scores, parameters.top_p)


def keep_top_k(scores: Tensor, k: int) -> Tensor:
    """Keep the k largest of each row, and all that tie with the last of them."""
    if k >= scores.shape[-1]:
        return scores
    smallest = scores.topk(k, dim=-1, sorted=False).values.amin(-1, keepdim=True)
    return scores.masked_fill(scores < smallest, float("-inf"))


def keep_top_p(scores: Tensor, p: float) -> Tensor:
    """Keep the fewest largest of each row whose probabilities sum to at least p (Holtzman et al. 2019)."""
    ordered, order = scores.sort(dim=-1, descending=True, stable=True)
    probabilities = ordered.softmax(-1)
    before = probabilities.cumsum(-1) - probabilities
    dropped = torch.zeros_like(scores, dtype=torch.bool).scatter(-1, order, before >= p)
    return scores.masked_fill(dropped, float("-inf"))


def log_probability_gain(conditional: Tensor, unconditional: Tensor, chosen: Tensor) -> Tensor:
    """log p(conditional) - log p(unconditional) of the chosen tokens: [rows] nats.

    Both are [rows, tokens] logits; chosen [rows] indexes them.
    """
    index = chosen[:, None]
    gains = conditional.log_softmax(-1).gather(-1, index) - unconditional.log_softmax(-1).gather(-1, index)
    return gains[:, 0]
