"""Sample tokens from logits: top-k, temperature, top-p, then the Gumbel-max trick.

All functions work row by row; a row's result does not depend on the other rows. Gumbel-max trick: the argmax
of logits plus standard Gumbel noise is a sample of their softmax (Maddison, Tarlow, Minka, "A* sampling",
2014, section 2).
"""

from dataclasses import dataclass, replace
from math import inf

import torch
from torch import Tensor

from services.worker.engine.errors import EngineError, PromptError
from services.worker.engine.sampling.guidance import GuidanceSchedule

_PROBABILITY_UNITS = float(1 << 40)
"""Probabilities are summed as integers in units of 1 / this: integer sums do not depend on their order."""

_MIN_TEMPERATURE = 1e-6


@dataclass(frozen=True)
class SamplingParameters:
    """Sampling settings of a candidate. Raises PromptError for a value outside its range.

    guidance_scale: at least 0; 1 is no guidance. guidance_schedule: name of a GuidanceSchedule.
    top_k: keep the k likeliest tokens and those as likely as the k-th; None keeps all.
    top_p: keep the fewest likeliest tokens whose probabilities sum to this, above 0; 1 keeps all.
    temperature: 0 always takes the likeliest token; otherwise at least 1e-6, so that no division overflows.
    seed: 64 bits, signed or unsigned.
    """

    guidance_scale: float = 4.0
    guidance_schedule: str = GuidanceSchedule.CONSTANT
    top_k: int | None = None
    top_p: float = 1.0
    temperature: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        schedules = ", ".join(GuidanceSchedule)
        for valid, rule in (
            (0 <= self.guidance_scale < inf, "guidance_scale must be 0 or more, and finite"),
            (
                self.guidance_schedule in set(GuidanceSchedule),
                f"guidance_schedule must be one of {schedules}",
            ),
            (self.top_k is None or self.top_k >= 1, "top_k must be 1 or more"),
            (0 < self.top_p <= 1, "top_p must be above 0 and at most 1"),
            (
                self.temperature == 0 or _MIN_TEMPERATURE <= self.temperature < inf,
                f"temperature must be 0, or at least {_MIN_TEMPERATURE}",
            ),
            (-(1 << 63) <= self.seed < 1 << 64, "seed must fit into 64 bits"),
        ):
            if not valid:
                raise PromptError(rule)


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """Set every logit below the k-th largest of its row to -inf; ties with the k-th are kept.

    logits: [rows, n]. Returns the same shape.
    """
    if k >= logits.shape[-1]:
        return logits
    threshold = logits.topk(k, sorted=False).values.amin(-1, keepdim=True)
    return logits.masked_fill(logits < threshold, -inf)


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """Set all logits to -inf but those of the fewest likeliest tokens whose probabilities sum to p.

    Ties with the last of them are kept. logits: [rows, n]; -inf is forbidden. Returns the same shape.
    """
    if p >= 1:
        return logits
    falling = logits.sort(-1, descending=True).values
    shares = (falling.softmax(-1, dtype=torch.float32).double() * _PROBABILITY_UNITS).long()
    held = shares.cumsum(-1)
    # A token is kept while the sum before it is too small; the first one always is, even for NaN.
    needed = ((held - shares) < p * held[:, -1:]).sum(-1, keepdim=True).clamp_(min=1)
    threshold = falling.gather(-1, needed - 1)
    return logits.masked_fill(logits < threshold, -inf)


def filter_scores(logits: Tensor, parameters: SamplingParameters) -> Tensor:
    """Apply top-k, temperature and top-p, in the reference's order; noise is added to the result.

    logits: [rows, n], after guidance and constraints. Returns float32. At temperature 0 the logits are
    unchanged, because no filter changes which one is largest.
    """
    scores = logits.to(torch.float32)
    if parameters.temperature == 0:
        return scores
    if parameters.top_k is not None:
        scores = keep_top_k(scores, parameters.top_k)
    if parameters.temperature != 1:
        scores = scores / parameters.temperature
    return keep_top_p(scores, parameters.top_p)


def choose(scores: Tensor, noise: Tensor) -> Tensor:
    """The index of the largest sum of score and noise in each row, the first one in case of ties.

    scores, noise: [rows, n]. Returns [rows] int64. Raises EngineError when a row has no finite maximum:
    the model returned NaN or infinity, or every token is forbidden.
    """
    total = scores + noise
    chosen = total.argmax(-1, keepdim=True)
    if not bool(total.gather(-1, chosen).isfinite().all()):
        raise EngineError(
            "no token can be drawn: the logits of a position are NaN, infinite or all forbidden"
        )
    return chosen.squeeze(-1)


def sample(logits: Tensor, noise: Tensor, parameters: SamplingParameters) -> Tensor:
    """Draw one token per row.

    logits: [rows, n], after guidance and constraints; -inf is forbidden. noise: [rows, n], standard Gumbel;
    equal noise gives equal tokens. At temperature 0 the noise is not used.
    Returns [rows] int64. Raises EngineError as `choose` does.
    """
    logits = logits.to(torch.float32)
    if parameters.temperature == 0:
        return choose(logits, torch.zeros_like(logits))
    if parameters.top_k is None or parameters.top_p < 1:
        return choose(filter_scores(logits, parameters), noise)
    # Finding the k-th value is the most expensive step, so draw without top-k first. Mostly fewer than k
    # tokens are likelier than the drawn one; then top-k keeps it, and it is the result, also in case of ties.
    chosen = choose(filter_scores(logits, replace(parameters, top_k=None)), noise)
    likelier = (logits > logits.gather(-1, chosen.unsqueeze(-1))).sum(-1)
    lost = (likelier >= parameters.top_k).nonzero().squeeze(-1)
    if len(lost):
        chosen[lost] = choose(filter_scores(logits[lost], parameters), noise[lost])
    return chosen


def log_probability(logits: Tensor, chosen: Tensor) -> Tensor:
    """The log-likelihood of each chosen token under raw logits.

    logits: [rows, n]. chosen: [rows] int64. Returns [rows] float32, in nats.
    """
    return logits.log_softmax(-1, dtype=torch.float32).gather(-1, chosen.unsqueeze(-1)).squeeze(-1)
