"""Decide the free positions of a pass (guidance, filters, noise, argmax), and guess first drafts.

Sequences with the same sampling settings are decided in one batch: every operation has a fixed cost, above
all on a GPU, and the result of a row does not depend on the other rows.
"""

from collections.abc import Iterable
from collections.abc import Sequence as Items
from typing import NamedTuple

import torch
from torch import Tensor

from services.worker.engine.batch import Work
from services.worker.engine.sampling.filters import log_probability, sample
from services.worker.engine.sampling.guidance import GuidanceSchedule, apply_guidance
from services.worker.engine.sampling.noise import gumbel_noise_of, hashed_tokens, noise_key
from services.worker.engine.sequence import Drawn, Sequence


class _Alike(NamedTuple):
    """Settings that sequences must share to be decided in one batch."""

    guided: bool
    top_k: int | None
    top_p: float
    temperature: float
    image_ids: range

    @classmethod
    def of(cls, sequence: Sequence) -> "_Alike":
        asked = sequence.request.sampling
        return cls(sequence.guided, asked.top_k, asked.top_p, asked.temperature, sequence.image_ids)


class _Place(NamedTuple):
    """A free position of a sequence."""

    sequence: Sequence
    position: int

    @property
    def noise_key(self) -> int:
        """Key of the position's noise. It counts from START, so the length of the prompt does not matter."""
        request = self.sequence.request
        offset = self.position - self.sequence.plan.image_start
        return noise_key(request.sampling.seed, request.image, offset, self.sequence.secret)


def draw(works: Items[Work], logits: Tensor) -> list[Drawn]:
    """Draw a token at each position that the works decide; keep the logits for drafts of the next row.

    logits: [padded rows, codes] float32, in the order of `PackedRows.logit_rows`. One result per work.
    """
    together: dict[_Alike, list[int]] = {}
    firsts: list[int] = []
    row = 0
    for index, work in enumerate(works):
        firsts.append(row)
        row += len(work.positions) * len(work.ends)
        together.setdefault(_Alike.of(work.sequence), []).append(index)
    drawn = dict[int, Drawn]()
    for indices in together.values():
        answers = _draw_alike(
            [works[index] for index in indices], [firsts[index] for index in indices], logits
        )
        drawn.update(zip(indices, answers, strict=True))
    return [drawn[index] for index in range(len(works))]


def _draw_alike(works: Items[Work], firsts: Items[int], logits: Tensor) -> list[Drawn]:
    """Draw for works with equal settings.

    firsts: index of each work's first row; the rows of the conditional stream come before the others.
    """
    counts = [len(work.positions) for work in works]
    rows = [first + index for first, count in zip(firsts, counts, strict=True) for index in range(count)]
    places = [_Place(work.sequence, position) for work in works for position in work.positions]
    conditional = guided = _rows(logits, rows)
    others = None
    if works[0].sequence.guided:
        shifts = [count for count in counts for _ in range(count)]
        others = _rows(logits, [row + shift for row, shift in zip(rows, shifts, strict=True)])
        guided = apply_guidance(conditional, others, _guidance(works, logits.device))
    chosen = _sample(places, guided)
    likelihoods = log_probability(conditional, chosen)
    gains = torch.zeros_like(likelihoods) if others is None else likelihoods - log_probability(others, chosen)
    for place, row_logits in zip(places, guided, strict=True):
        if place.sequence.request.speculative:
            place.sequence.draft_logits[place.position] = row_logits
    tokens = (chosen + works[0].sequence.image_ids.start).tolist()
    certainties, differences = torch.stack((likelihoods, gains)).tolist()
    drawn: list[Drawn] = []
    for count in counts:
        drawn.append(Drawn(tokens[:count], certainties[:count], differences[:count]))
        tokens, certainties, differences = tokens[count:], certainties[count:], differences[count:]
    return drawn


def fill_drafts(works: Iterable[Work]) -> None:
    """Guess a first draft for every position, except the last, of each work that has none.

    If the result resembles the given panel, the draft is the panel's token at that cell. Otherwise it is
    drawn from the logits of the cell above with this position's noise: the token that the position will draw
    if the model predicts the same there.
    """
    missing: dict[_Alike, list[_Place]] = {}
    for work in works:
        sequence = work.sequence
        for position in work.positions[:-1]:
            if position in sequence.drafts:
                continue
            source = sequence.plan.draft_source[position]
            given = None if source is None else sequence.tokens[source]
            if given is not None:
                sequence.drafts[position] = given
            elif sequence.draft_logits:
                missing.setdefault(_Alike.of(sequence), []).append(_Place(sequence, position))
            else:
                sequence.drafts[position] = sequence.image_ids.start
    for places in missing.values():
        codes = _sample(places, torch.stack([_logits_above(place) for place in places])).tolist()
        for (sequence, position), code in zip(places, codes, strict=True):
            sequence.drafts[position] = code + sequence.image_ids.start


def _noise(places: Items[_Place], device: torch.device) -> Tensor:
    keys = [place.noise_key for place in places]
    return gumbel_noise_of(keys, hashed_tokens(len(places[0].sequence.image_ids), device))


def _sample(places: Items[_Place], logits: Tensor) -> Tensor:
    """Draw codes [places] from guided logits [places, codes]. All places have the same settings."""
    asked = places[0].sequence.request.sampling
    noise = torch.zeros_like(logits) if asked.temperature == 0 else _noise(places, logits.device)
    return sample(logits, noise, asked)


def _logits_above(place: _Place) -> Tensor:
    """Logits of the cell above, or of the last decided position if those are not available."""
    known = place.sequence.draft_logits
    above = place.position - place.sequence.plan.shape.row_length
    return known[above] if above in known else known[max(known)]


def _rows(logits: Tensor, rows: list[int]) -> Tensor:
    return logits.index_select(0, torch.tensor(rows, device=logits.device))


def _guidance(works: Iterable[Work], device: torch.device) -> Tensor:
    """Guidance scales [positions, 1]."""
    scales: list[Tensor] = []
    for work in works:
        asked, plan = work.sequence.request.sampling, work.sequence.plan
        offsets = [position - plan.image_start for position in work.positions]
        schedule = GuidanceSchedule(asked.guidance_schedule)
        scales.append(schedule.scales(asked.guidance_scale, plan.shape, offsets))
    return torch.cat(scales).to(device)[:, None]
