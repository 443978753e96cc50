"""Compare guidance, constraints and top-k on recorded scores."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from benchmarks.parity.comparison import Comparison, farthest, identical
from benchmarks.parity.fixture_set import FixtureSet
from benchmarks.parity.scores import constrain, keep, top_k_at
from services.worker.engine.layout.image_grammar import HEADER_LENGTH, ImageGrammar, ImageShape
from services.worker.engine.layout.vocabulary import Vocabulary
from services.worker.engine.sampling.guidance import GuidanceSchedule, apply_guidance

CFG, CFG_SCORES = "logits/cfg.json", "logits/cfg.npz"
SINGLE, SINGLE_SCORES = "logits/constraint_topk.json", "logits/constraint_topk.npz"
PUBLIC_IDS, PUBLIC_SCORES = "logits/real_vocab.json", "logits/real_vocab.npz"
WINDOWS, WINDOW_SCORES = "sjd/sjd_processors.json", "sjd/sjd_processors.npz"
SCALE_ERROR, GUIDED_ERROR = 1e-5, 1e-5
"""Relative tolerances: our schedule uses float32, the reference's Python floats."""


def check_guidance(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare the guidance schedule of every start value, and the recorded guided scores."""
    facts, arrays = fixtures.json(CFG), fixtures.arrays(CFG_SCORES)
    shape = ImageShape(facts["h_grids"], facts["w_grids"])
    # step k has read the image up to offset k and chooses the next token
    offsets = range(1, facts["steps"] + 1)
    for start, case in facts["cases"].items():
        scales = GuidanceSchedule.REFERENCE.scales(float(start), shape, offsets)
        guided = slice(HEADER_LENGTH - 1, None)
        expected = torch.tensor(case["guidance_after_step"])[guided]
        yield _relative(CFG, f"schedule from {start}", scales[guided], expected, SCALE_ERROR)
        if (recorded := arrays.get(f"out_{float(start):g}")) is not None:
            yield _guided(arrays, scales, recorded, start)
    whole = facts.get("two_images_guidance_after_each_token")
    if whole is not None:
        start = whole[0]
        first = min(len(whole), shape.length - 1)
        scales = GuidanceSchedule.REFERENCE.scales(start, shape, range(1, first + 1))[2:]
        yield _relative(CFG, "schedule of a whole image", scales, torch.tensor(whole[2:first]), SCALE_ERROR)


def _guided(arrays: dict[str, Tensor], scales: Tensor, recorded: Tensor, start: str) -> Comparison:
    skipped = HEADER_LENGTH - 1  # guidance begins after the header
    conditional, unconditional = arrays["cond"], arrays["uncond"]
    guided = apply_guidance(
        conditional[skipped:], unconditional[: len(conditional) - skipped], scales[skipped:, None]
    )
    ours = torch.cat([conditional[:skipped], guided])
    return _relative(CFG_SCORES, f"scores guided by {start}", ours, recorded, GUIDED_ERROR)


def _relative(fixture: str, what: str, actual: Tensor, expected: Tensor, tolerance: float) -> Comparison:
    largest = float(expected.abs().max()) if expected.numel() else 1.0
    return farthest(fixture, f"{what}, relative", actual / largest, expected / largest, tolerance)


def check_single_tokens(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare the scores of the next token after constraints, after top-k, and after both."""
    facts, arrays = fixtures.json(SINGLE), fixtures.arrays(SINGLE_SCORES)
    limits = {key: facts[key] for key in ("image_top_k", "text_top_k")}
    rows: dict[str, list[Tensor]] = {"constraint": [], "topk": [], "chain_constraint_topk": []}
    for row, scores in zip(facts["rows"], arrays["scores"], strict=True):
        state = fixtures.grammar.read(facts["prompt"] + facts["image"][: facts["cut"][row]])
        k = top_k_at(state, **limits)
        constrained = constrain(fixtures.vocabulary, scores, fixtures.grammar.allowed(state))
        rows["constraint"].append(constrained)
        rows["topk"].append(keep(scores, k))
        rows["chain_constraint_topk"].append(keep(constrained, k))
    for name, ours in rows.items():
        yield farthest(SINGLE_SCORES, f"{name}, {len(ours)} places", torch.stack(ours), arrays[name], 0)


def check_windows(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare the tokens that remain in a window of drafts after constraints, and after top-k as well."""
    facts, arrays = fixtures.json(WINDOWS), fixtures.arrays(WINDOW_SCORES)
    limits = {key: facts[key] for key in ("image_top_k", "text_top_k")}
    for index, row in enumerate(facts["rows"]):
        state = fixtures.grammar.read(facts["prompt"] + facts["image"][: facts["cut"][row]])
        window = fixtures.grammar.allowed_window(state, facts["window"])
        constrained = [
            constrain(fixtures.vocabulary, scores, allowed)
            for scores, allowed in zip(arrays["scores"][index], window, strict=True)
        ]
        k = top_k_at(state, **limits)
        for name, ours in (
            ("keep_constraint", constrained),
            ("keep_topk", [keep(scores, k) for scores in constrained]),
        ):
            expected = unpack_bits(arrays[name][index], fixtures.vocabulary.size)
            kept = torch.stack(ours).isfinite()
            yield farthest(f"{WINDOW_SCORES} {row}", name, kept, expected, 0)


def unpack_bits(packed: Tensor, count: int) -> Tensor:
    """Unpack [rows, bytes] from numpy.packbits into [rows, count] booleans."""
    shifts = torch.arange(7, -1, -1)
    return ((packed[..., None].int() >> shifts) & 1).flatten(-2)[..., :count].bool()


def check_public_ids(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare constraints and top-k with the token ids and the size of the published vocabulary."""
    facts, arrays = fixtures.json(PUBLIC_IDS), fixtures.arrays(PUBLIC_SCORES)
    grammar = ImageGrammar(public_vocabulary(facts))
    scores = torch.zeros(facts["vocab_size"])
    scores[arrays["input_index"].long()] = arrays["input_value"].float()
    limits = {key: facts[key] for key in ("image_top_k", "text_top_k")}
    for row, expected in facts["rows"].items():
        state = grammar.read(facts["prompt"] + facts["image"][: facts["cut"][row]])
        constrained = constrain(grammar.vocabulary, scores, grammar.allowed(state))
        kept = keep(constrained, top_k_at(state, **limits)).isfinite().nonzero().flatten()
        counts = [int(constrained.isfinite().sum()), len(kept)]
        wanted = [expected["finite_after_constraint"], expected["finite_after_topk"]]
        yield identical(f"{PUBLIC_IDS} {row}", "number of tokens left", counts, wanted)
        yield identical(
            f"{PUBLIC_SCORES} {row}", "tokens left", kept.tolist(), arrays[f"keep_{row}"].tolist()
        )


def public_vocabulary(facts: dict[str, Any]) -> Vocabulary:
    """The vocabulary of the fixture; begin and separator, which it does not list, get unused ids."""
    ids = facts["ids"]
    largest_grid = max(facts["image"][1:HEADER_LENGTH]) - ids["GRID0"]
    grids = tuple(ids["GRID0"] + count for count in range(1, largest_grid + 1))
    taken = {ids["START"], ids["END"], ids["NEWLINE"], *grids, *facts["prompt"]}
    begin, separator = [token for token in range(len(taken) + 2) if token not in taken][:2]
    return Vocabulary(
        size=facts["vocab_size"],
        begin_of_sequence=begin,
        separator=separator,
        image_start=ids["START"],
        image_end=ids["END"],
        newline=ids["NEWLINE"],
        first_image_token=ids["IMG_FIRST"],
        image_code_count=facts["image_last"] + 1 - ids["IMG_FIRST"],
        grid_tokens=grids,
    )
