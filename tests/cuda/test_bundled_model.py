"""The bundled model on a GPU: a trained model, whose drafts are accepted."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from services.worker.engine.engine import EngineOptions
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.loading.load import LoadedModel, load_model
from services.worker.engine.sampling.noise import gumbel_noise
from shared.tasks import Task
from tests.support.models.drawing_requests import request_for, run_all

TINY = Path(__file__).parents[2] / "models/tiny"
PICTURES = 4
OPTIONS = EngineOptions(kv_cache_tokens=65_536, window=31)


@pytest.fixture(scope="module", params=["fp32", "bf16"])
def tiny(request: pytest.FixtureRequest, device: torch.device) -> LoadedModel:
    return load_model(TINY, Precision.parse(request.param), device)


def test_its_kernels_and_attention_are_found_invariant(tiny: LoadedModel):
    assert tiny.capabilities.variant_kernels == ()


@pytest.mark.parametrize("guidance_scale", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("task", list(Task))
def test_speculation_draws_the_pictures_of_sequential_decoding(
    tiny: LoadedModel, task: Task, guidance_scale: float
):
    requests = [
        request_for(
            tiny,
            task,
            prompt="a red star and a blue ball",
            size=PictureSize(64, 64),
            seed=7,
            image=image,
            guidance_scale=guidance_scale,
        )
        for image in range(PICTURES)
    ]
    expected = run_all(tiny, [replace(request, speculative=False) for request in requests])
    drawn = run_all(tiny, requests, OPTIONS)
    alone = [run_all(tiny, [request], OPTIONS)[0] for request in requests[:1]]
    assert [handle.codes for handle in drawn] == [handle.codes for handle in expected]
    assert [handle.progress.score for handle in drawn] == [handle.progress.score for handle in expected]
    assert alone[0].codes == expected[0].codes
    assert sum(handle.progress.forward_passes for handle in drawn) < sum(
        handle.progress.forward_passes for handle in expected
    )


def test_noise_is_that_of_the_cpu_bit_for_bit(device: torch.device):
    positions, tokens = range(-3, 500), torch.arange(16_384)
    there = gumbel_noise(7, 1, positions, tokens.to(device))
    assert torch.equal(there.cpu(), gumbel_noise(7, 1, positions, tokens))
