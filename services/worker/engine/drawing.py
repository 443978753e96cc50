"""Decide the free positions of a pass: guidance, filters, noise, argmax; and guess the next drafts."""

from dataclasses import dataclass

import torch
from torch import Tensor

from services.worker.engine.guidance import GuidanceSchedule, apply_guidance
from services.worker.engine.noise import gumbel_noise
from services.worker.engine.sampling import log_probability_gain, sample
from services.worker.engine.sequence import Sequence


@dataclass(frozen=True)
class Drawn:
    """Tokens of a pass and what each says about the picture's likelihood, one per decided position."""

    tokens: list[int]
    gains: list[float]


def noise_at(sequence: Sequence, positions: tuple[int, ...], device: torch.device) -> Tensor:
    """[positions, codes] Gumbel noise; zeros when sampling is greedy.

    The counter is the place in the image, not in the sequence: a longer prompt keeps its noise.
    """
    parameters = sequence.request.sampling
    codes = sequence.image_ids
    if parameters.temperature == 0:
        return torch.zeros(len(positions), len(codes), device=device)
    offsets = torch.tensor(positions, device=device) - sequence.plan.image_start
    counters = torch.arange(len(codes), device=device)
    return gumbel_noise(parameters.seed, sequence.request.image, offsets, counters)


def draw(sequence: Sequence, positions: tuple[int, ...], logits: Tensor) -> Drawn:
    """Draw a token at each position, and keep the logits for the drafts below.

    logits: [streams * positions, codes] float32, the conditional stream first.
    """
    parameters = sequence.request.sampling
    conditional, *others = logits.split(len(positions))
    guided = conditional
    if others:
        guided = apply_guidance(conditional, others[0], _guidance(sequence, positions, logits.device))
    chosen = sample(guided, noise_at(sequence, positions, logits.device), parameters)
    gains = torch.zeros(len(positions), dtype=torch.float64)
    if others:
        gains = log_probability_gain(conditional, others[0], chosen)
    sequence.draft_logits.update(zip(positions, guided, strict=True))
    return Drawn((chosen + sequence.image_ids.start).tolist(), gains.tolist())


def fill_drafts(sequence: Sequence, positions: tuple[int, ...]) -> None:
    """Give every position that has no draft a first one.

    Where the result resembles the given panel, its token; elsewhere the likeliest token of the cell above
    under this position's own noise, which is what the position would draw if the model saw no difference.
    """
    missing: list[int] = []
    for position in positions:
        if position in sequence.drafts:
            continue
        source = sequence.plan.draft_source[position]
        given = None if source is None else sequence.tokens[source]
        if given is None:
            missing.append(position)
        else:
            sequence.drafts[position] = given
    if missing:
        sequence.drafts.update(zip(missing, _drafts_from_above(sequence, tuple(missing)), strict=True))


def _drafts_from_above(sequence: Sequence, positions: tuple[int, ...]) -> list[int]:
    known = sequence.draft_logits
    if not known:
        return [sequence.image_ids.start] * len(positions)
    latest = known[max(known)]
    above = [known.get(position - sequence.plan.shape.row_length, latest) for position in positions]
    noise = noise_at(sequence, positions, latest.device)
    drafts = sample(torch.stack(above), noise, sequence.request.sampling)
    return (drafts + sequence.image_ids.start).tolist()


def _guidance(sequence: Sequence, positions: tuple[int, ...], device: torch.device) -> Tensor:
    """[positions, 1] guidance scales."""
    parameters = sequence.request.sampling
    schedule = GuidanceSchedule(parameters.guidance_schedule)
    shape = sequence.plan.shape
    offsets = [position - sequence.plan.image_start for position in positions]
    return schedule.scales(parameters.guidance_scale, shape, offsets).to(device)[:, None]
