"""Speculation, batch neighbours, windows and resumes never change which tokens are drawn."""

import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from services.worker.engine.engine import Engine, EngineOptions
from services.worker.engine.handle import Handle
from services.worker.engine.loading.load import LoadedModel
from services.worker.engine.model.dense_attention import DenseCausalAttention
from services.worker.engine.request import GenerationRequest, Status
from services.worker.engine.sampling.filters import sample
from services.worker.engine.sampling.guidance import GuidanceSchedule, apply_guidance
from services.worker.engine.sampling.noise import gumbel_noise
from shared.tasks import Task
from tests.support.models.drawing_requests import plan_for, random_request, request_for, run_all
from tests.support.models.free_cache import free_tokens
from tests.support.models.variations import VARIATIONS, Models

pytestmark = pytest.mark.slow

CROWD = 8
DICE = st.randoms(use_true_random=True)
PRECISIONS = ["fp32", "bf16", "fp32+int8", "bf16+int8", "bf16+nf4", "fused fp32", "fused bf16+int8"]


def sequential(loaded: LoadedModel, requests: list[GenerationRequest]) -> list[Handle]:
    return run_all(loaded, [replace(request, speculative=False) for request in requests])


def random_options(dice: random.Random) -> EngineOptions:
    return EngineOptions(
        kv_cache_tokens=256 * dice.choice([4, 8, 64]),
        max_sequences=dice.randint(1, CROWD),
        max_rows=dice.choice([7, 16, 50, 256]),
        window=dice.choice([None, None, 0, 1, 2, 5, 15, 31]),
    )


def run_with_comings_and_goings(
    engine: Engine, requests: list[GenerationRequest], dice: random.Random
) -> list[Handle]:
    """Submit requests between steps; some additional ones are canceled while they run."""
    handles: list[Handle] = []
    doomed: list[Handle] = []
    while len(handles) < len(requests) or engine.step():
        if len(handles) < len(requests) and dice.random() < 0.4:
            handles.append(engine.submit(requests[len(handles)]))
        if len(doomed) < 3 and dice.random() < 0.1:
            doomed.append(engine.submit(random_request(engine.loaded, dice)))
        for handle in doomed:
            if dice.random() < 0.1:
                handle.cancel()
        engine.step()
    assert free_tokens(engine.cache.allocator) == engine.cache.allocator.capacity
    return handles


def assert_same_pictures(handles: list[Handle], expected: list[Handle]) -> None:
    for handle, other in zip(handles, expected, strict=True):
        assert handle.status is other.status is Status.FINISHED
        assert handle.codes == other.codes, handle.request
        assert handle.progress.score == other.progress.score
        assert handle.certainties == other.certainties
        assert handle.progress.tokens_done == other.progress.tokens_done


def assert_a_crowd_draws_as_each_alone(loaded: LoadedModel, dice: random.Random) -> None:
    requests = [random_request(loaded, dice) for _ in range(CROWD)]
    handles = run_with_comings_and_goings(Engine(loaded, random_options(dice)), requests, dice)
    assert_same_pictures(handles, sequential(loaded, requests))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("crowds", [2, pytest.param(20, marks=pytest.mark.long)])
def test_concurrent_requests_draw_the_same_as_sequential_decoding(
    models: Models, precision: str, crowds: int
):
    @settings(max_examples=crowds, deadline=None, derandomize=True, database=None)
    @given(DICE)
    def check(dice: random.Random) -> None:
        assert_a_crowd_draws_as_each_alone(models(precision), dice)

    check()


@pytest.mark.parametrize("variation", [name for name in VARIATIONS if name != "plain"])
@settings(max_examples=2, deadline=None, derandomize=True, database=None)
@given(DICE)
def test_every_architecture_draws_the_same_as_sequential_decoding(
    models: Models, variation: str, dice: random.Random
):
    assert_a_crowd_draws_as_each_alone(models("fp32", variation), dice)


@pytest.mark.parametrize("precision", ["fp32", "bf16+int8"])
@settings(max_examples=2, deadline=None, derandomize=True, database=None)
@given(DICE)
def test_a_picture_is_the_same_with_and_without_batch_neighbours(
    models: Models, precision: str, dice: random.Random
):
    loaded = models(precision)
    requests = [random_request(loaded, dice) for _ in range(CROWD)]
    alone = [sequential(loaded, [request])[0] for request in requests]
    assert_same_pictures(sequential(loaded, requests), alone)


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_picture_resumed_from_any_of_its_codes_ends_the_same(models: Models, precision: str, task: Task):
    loaded = models(precision)
    request = request_for(loaded, task, seed=5, top_k=100)
    (whole,) = sequential(loaded, [request])
    prefixes = [whole.codes[:drawn] for drawn in range(len(whole.codes) + 1)]
    resumed = run_all(loaded, [replace(request, resume_codes=prefix) for prefix in prefixes])
    assert [handle.codes for handle in resumed] == [whole.codes] * len(prefixes)


def test_four_images_of_one_seed_differ_and_are_independent(models: Models):
    loaded = models()
    requests = [request_for(loaded, seed=3, image=image) for image in range(4)]
    together = run_all(loaded, requests)
    assert len({handle.codes for handle in together}) == 4
    assert_same_pictures(together, [run_all(loaded, [request])[0] for request in requests])


def test_a_negative_prompt_equal_to_the_prompt_takes_all_guidance_away(models: Models):
    """Both streams then have the same bits, so their difference is zero."""
    loaded, words = models(), "A small red boat."
    plain, guided, opposed = run_all(
        loaded,
        [
            request_for(loaded, prompt=words, seed=2, guidance_scale=1.0),
            request_for(loaded, prompt=words, seed=2, guidance_scale=4.0),
            request_for(loaded, prompt=words, seed=2, guidance_scale=4.0, negative=words),
        ],
    )
    assert opposed.codes == plain.codes != guided.codes
    assert opposed.progress.score == 0


def test_a_picture_with_a_negative_prompt_ends_the_same_from_any_of_its_codes(models: Models):
    loaded = models()
    request = request_for(loaded, seed=5, top_k=100, guidance_scale=4.0, negative="dark and noisy")
    (whole,) = sequential(loaded, [request])
    prefixes = [whole.codes[:drawn] for drawn in range(len(whole.codes) + 1)]
    resumed = run_all(loaded, [replace(request, resume_codes=prefix) for prefix in prefixes])
    assert [handle.codes for handle in resumed] == [whole.codes] * len(prefixes)


def test_speculation_takes_fewer_passes(models: Models):
    loaded = models()
    request = request_for(loaded, seed=1)
    (handle,) = run_all(loaded, [request], EngineOptions(kv_cache_tokens=4096, window=15))
    (slow,) = sequential(loaded, [request])
    assert handle.progress.forward_passes < slow.progress.forward_passes == len(slow.codes)


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize(
    ("guidance_scale", "negative"), [(1.0, None), (4.0, None), (4.0, "dark"), (4.0, "noisy text " * 9)]
)
@torch.inference_mode()
def test_the_engine_draws_the_same_as_full_passes_without_a_cache(
    models: Models, task: Task, guidance_scale: float, negative: str | None
):
    loaded = models()
    request = request_for(loaded, task, seed=8, guidance_scale=guidance_scale, top_k=150, negative=negative)
    (handle,) = run_all(loaded, [request])
    plan = plan_for(loaded, task, negative=negative)
    codes = torch.arange(len(loaded.image_ids), device=loaded.device)
    tokens = list(plan.tokens)
    for position in plan.free_positions:
        known = [token for token in tokens[:position] if token is not None]
        offsets = [position - plan.image_start]
        logits = last_logits(loaded, known)
        if guidance_scale != 1:
            unconditional = last_logits(loaded, [*plan.negative, *known[plan.image_start :]])
            scale = GuidanceSchedule.CONSTANT.scales(guidance_scale, plan.shape, offsets)
            logits = apply_guidance(logits, unconditional, scale.to(loaded.device))
        noise = gumbel_noise(request.sampling.seed, request.image, offsets, codes)
        tokens[position] = loaded.image_ids[int(sample(logits, noise, request.sampling))]
    drawn = [tokens[position] for position in plan.free_positions]
    assert [loaded.image_ids[code] for code in handle.codes] == drawn


def last_logits(loaded: LoadedModel, tokens: list[int]) -> torch.Tensor:
    """Logits [1, codes] of the image code after `tokens`."""
    attention = DenseCausalAttention(len(tokens))
    token_ids = torch.tensor(tokens, device=loaded.device)
    hidden = loaded.model(token_ids, torch.arange(len(tokens), device=loaded.device), attention)
    return loaded.model.image_logits(hidden[-4:], loaded.image_ids)[-1:]
