"""Speculation, company, windows and resumes change when a token is drawn, never which."""

import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from services.worker.engine.dense_attention import DenseCausalAttention
from services.worker.engine.drawing import noise_at
from services.worker.engine.engine import Engine, EngineOptions
from services.worker.engine.guidance import GuidanceSchedule, apply_guidance
from services.worker.engine.handle import Handle
from services.worker.engine.loading import LoadedModel
from services.worker.engine.request import GenerationRequest, Status
from services.worker.engine.sampling import sample
from services.worker.engine.sequence import Sequence
from services.worker.engine.tasks import Task
from tests.unit.engine.conftest import VARIATIONS, Models
from tests.unit.engine.drawing_requests import plan_for, random_request, request_for, run_all

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
    """Submit in between steps, and now and then a request that is canceled on its way."""
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
    assert engine.cache.allocator.free_tokens == engine.cache.allocator.capacity
    return handles


def assert_same_pictures(handles: list[Handle], expected: list[Handle]) -> None:
    for handle, other in zip(handles, expected, strict=True):
        assert handle.status is other.status is Status.FINISHED
        assert handle.codes == other.codes, handle.request
        assert handle.progress.score == other.progress.score
        assert handle.progress.codes_drawn == other.progress.codes_drawn


@pytest.mark.parametrize("precision", PRECISIONS)
@settings(max_examples=8, deadline=None, derandomize=True, database=None)
@given(DICE)
def test_a_crowd_of_any_tasks_draws_what_each_draws_sequentially(
    models: Models, precision: str, dice: random.Random
):
    loaded = models(precision)
    requests = [random_request(loaded, dice) for _ in range(CROWD)]
    handles = run_with_comings_and_goings(Engine(loaded, random_options(dice)), requests, dice)
    assert_same_pictures(handles, sequential(loaded, requests))


@pytest.mark.parametrize("variation", [name for name in VARIATIONS if name != "plain"])
@settings(max_examples=3, deadline=None, derandomize=True, database=None)
@given(DICE)
def test_every_architecture_draws_what_it_draws_sequentially(
    models: Models, variation: str, dice: random.Random
):
    loaded = models("fp32", variation)
    requests = [random_request(loaded, dice) for _ in range(CROWD)]
    handles = run_with_comings_and_goings(Engine(loaded, random_options(dice)), requests, dice)
    assert_same_pictures(handles, sequential(loaded, requests))


@pytest.mark.parametrize("precision", ["fp32", "bf16+int8"])
@settings(max_examples=3, deadline=None, derandomize=True, database=None)
@given(DICE)
def test_a_picture_drawn_alone_is_the_one_drawn_in_company(
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


def test_four_images_of_one_seed_differ_and_each_is_what_it_is_alone(models: Models):
    loaded = models()
    requests = [request_for(loaded, seed=3, image=image) for image in range(4)]
    together = run_all(loaded, requests)
    assert len({handle.codes for handle in together}) == 4
    assert_same_pictures(together, [run_all(loaded, [request])[0] for request in requests])


def test_speculation_takes_fewer_passes(models: Models):
    loaded = models()
    request = request_for(loaded, seed=1)
    (handle,) = run_all(loaded, [request], EngineOptions(kv_cache_tokens=4096, window=15))
    (slow,) = sequential(loaded, [request])
    assert handle.progress.forward_passes < slow.progress.forward_passes == len(slow.codes)


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
@torch.inference_mode()
def test_the_engine_draws_what_whole_prefixes_without_a_cache_say(
    models: Models, task: Task, guidance_scale: float
):
    loaded = models()
    request = request_for(loaded, task, seed=8, guidance_scale=guidance_scale, top_k=150)
    (handle,) = run_all(loaded, [request])
    plan = plan_for(loaded, task)
    by_hand = Sequence(request, plan, loaded.image_ids)
    tokens = list(plan.tokens)
    for position in plan.free_positions:
        known = [token for token in tokens[:position] if token is not None]
        logits = last_logits(loaded, known)
        if guidance_scale != 1:
            unconditional = last_logits(loaded, known[plan.image_start :])
            offsets = [position - plan.image_start]
            scale = GuidanceSchedule.CONSTANT.scales(guidance_scale, plan.shape, offsets)
            logits = apply_guidance(logits, unconditional, scale.to(loaded.device))
        noise = noise_at(by_hand, (position,), loaded.device)
        tokens[position] = loaded.image_ids[int(sample(logits, noise, request.sampling))]
    drawn = [tokens[position] for position in plan.free_positions]
    assert [loaded.image_ids[code] for code in handle.codes] == drawn


def last_logits(loaded: LoadedModel, tokens: list[int]) -> torch.Tensor:
    """[1, codes] logits of the image codes after `tokens`."""
    attention = DenseCausalAttention(len(tokens))
    token_ids = torch.tensor(tokens, device=loaded.device)
    hidden = loaded.model(token_ids, torch.arange(len(tokens), device=loaded.device), attention)
    return loaded.model.image_logits(hidden[-4:], loaded.image_ids)[-1:]
