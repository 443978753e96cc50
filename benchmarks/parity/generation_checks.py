"""Compare complete greedy runs of the engine: tokens, logits of the first steps, and pictures."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.parity.comparison import FP32_LOGITS, Comparison, farthest, identical, same_levels
from benchmarks.parity.fixture_set import FixtureSet
from benchmarks.parity.questions import request_of
from benchmarks.parity.streams import last_logits
from services.tokenizer.image_codec import decode_grids
from services.worker.engine.engine import Engine, EngineOptions
from services.worker.engine.layout.image_grammar import HEADER_LENGTH, ImageShape
from services.worker.engine.layout.open_plan import open_plan
from services.worker.engine.layout.vocabulary import Vocabulary
from services.worker.engine.model.kv_cache import run_length
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sampling.filters import SamplingParameters
from services.worker.engine.sampling.guidance import GuidanceSchedule, apply_guidance
from shared.token_grid import TokenGrid

GREEDY = "generate/greedy.json"
FIRST_STEPS = "generate/first_steps_fp32.npz"


def check_greedy(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare the ids of each float32 run, drawn with and without speculation."""
    for name, run in fixtures.json(GREEDY)["fp32"].items():
        for speculative in (False, True):
            mode = "speculative" if speculative else "sequential"
            drawn = draw(fixtures, run, speculative=speculative)
            yield identical(f"{GREEDY} {name}", f"greedy ids, fp32, {mode}", drawn, run["new_ids"])


def draw(fixtures: FixtureSet, run: dict[str, Any], *, speculative: bool) -> list[int]:
    """Draw a run with the engine; return the ids after the prompt."""
    opened = open_plan(
        fixtures.vocabulary,
        fixtures.text_tokenizer,
        request_of(fixtures.vocabulary, run["question"][0], run["prompt_ids"]),
    )
    sampling = SamplingParameters(
        guidance_scale=run["cfg"],
        guidance_schedule=GuidanceSchedule.REFERENCE,
        top_k=run["image_top_k"],
        temperature=0.0,
    )
    request = GenerationRequest(
        opened, sampling, speculative=speculative, text_top_k=run.get("text_top_k", 10)
    )
    total = run_length(len(run["prompt_ids"]) + len(run["new_ids"]))
    engine = Engine(fixtures.fp32, EngineOptions(kv_cache_tokens=2 * total))
    handle = engine.submit(request)
    engine.run_until_idle()
    codes = iter(handle.codes)
    token_of_code = fixtures.vocabulary.token_of_code
    tokens = [token_of_code(next(codes)) if token is None else token for token in handle.finished_plan.tokens]
    return tokens[len(opened.tokens) :]


def check_first_steps(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare the logits of the first steps, before and after guidance."""
    expected = fixtures.arrays(FIRST_STEPS)
    for name, run in fixtures.json(GREEDY)["fp32"].items():
        if f"{name}_cond_logits" not in expected:
            continue
        steps = range(run["logits_from_step"], run["logits_from_step"] + len(expected[f"{name}_cond_logits"]))
        prefixes = [[*run["prompt_ids"], *run["new_ids"][:step]] for step in steps]
        pairs = [_conditional_and_guided(fixtures, run["cfg"], prefix) for prefix in prefixes]
        for index, what in enumerate(("cond_logits", "after_cfg")):
            ours = torch.stack([pair[index] for pair in pairs])
            theirs = expected[f"{name}_{what}"]
            spread = FP32_LOGITS if what == "cond_logits" else guided_tolerance(run["cfg"])
            yield farthest(f"{FIRST_STEPS} {name}", what.replace("_", " ") + ", fp32", ours, theirs, spread)


def guided_tolerance(scale: float) -> float:
    """Tolerance of guided logits: guidance adds the two streams' errors, times `scale` and `scale - 1`."""
    return FP32_LOGITS * max(1.0, 2 * scale - 1)


def _conditional_and_guided(fixtures: FixtureSet, scale: float, tokens: list[int]) -> tuple[Tensor, Tensor]:
    start = last_start(fixtures.vocabulary, tokens)
    conditional = last_logits(fixtures.fp32, tokens)
    unconditional = last_logits(fixtures.fp32, tokens[start:])
    shape = shape_of(fixtures.vocabulary, tokens[start:])
    scales = GuidanceSchedule.REFERENCE.scales(scale, shape, [len(tokens) - start])
    guided = apply_guidance(conditional, unconditional, scales[:, None].to(conditional.device))
    return conditional[0], guided[0]


def last_start(vocabulary: Vocabulary, tokens: list[int]) -> int:
    """Index of the last image start token."""
    return len(tokens) - 1 - tokens[::-1].index(vocabulary.image_start)


def shape_of(vocabulary: Vocabulary, image: list[int]) -> ImageShape:
    """The image's shape, from its header."""
    height, width = image[1:HEADER_LENGTH]
    return ImageShape(vocabulary.grid_count(height), vocabulary.grid_count(width))


def check_generated_pictures(fixtures: FixtureSet) -> Iterator[Comparison]:
    """Compare the picture of each float32 run, decoded from the ids that the reference decoded."""
    for name, run in fixtures.json(GREEDY)["fp32"].items():
        file = f"generate/{name}_fp32.png"
        if not fixtures.has(file):
            continue
        tokens = run["ids_given_to_decode"]
        image = tokens[last_start(fixtures.vocabulary, tokens) :]
        grid = grid_of(fixtures.vocabulary, image)
        (picture,) = decode_grids(fixtures.movqgan, [grid])
        with Image.open(fixtures.path(file)) as expected:
            yield same_levels(file, "picture, levels of 255", np.asarray(picture), np.asarray(expected))


def grid_of(vocabulary: Vocabulary, image: list[int]) -> TokenGrid:
    """The codes of an image whose first token is the image start token."""
    shape = shape_of(vocabulary, image)
    codes = (vocabulary.code_of_token(token) for token in image if vocabulary.is_image_token(token))
    return TokenGrid(shape.rows, shape.columns, tuple(islice(codes, shape.rows * shape.columns)))
