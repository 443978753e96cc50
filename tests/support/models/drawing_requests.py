"""Create requests of every task for small pictures, and run them."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from services.worker.engine.engine import Engine, EngineOptions
from services.worker.engine.handle import Handle
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.layout.sequence_plan import SequencePlan, plan_sequence
from services.worker.engine.loading.load import LoadedModel
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sampling.filters import SamplingParameters
from shared.tasks import MapKind, Task

SMALL = PictureSize(64, 32)
"""Eight by four cells."""

MAPS = {Task.IMAGE_PAIR: MapKind.DEPTH, Task.CONTROL: MapKind.HED, Task.DENSE: MapKind.SEGMENTATION}
"""The map that requests of a task ask for."""


def plan_for(
    loaded: LoadedModel,
    task: Task = Task.TEXT_TO_IMAGE,
    *,
    prompt: str = "A small red boat.",
    size: PictureSize = SMALL,
    kept: tuple[int | None, ...] | None = None,
    seed: int = 0,
    negative: str | None = None,
) -> SequencePlan:
    """Plan a sequence of any task. seed: decides the codes of the given panel, if the task has one."""
    cells = size.width // 8 * (size.height // 8)
    codes = len(loaded.image_ids)
    given = tuple((seed + 37 * cell) % codes for cell in range(cells)) if task.takes_image else None
    request = PictureRequest(
        task, prompt, size, MAPS.get(task), given_codes=given, kept_codes=kept, negative_prompt=negative
    )
    return plan_sequence(loaded.vocabulary, loaded.text_tokenizer, request)


def request_for(
    loaded: LoadedModel,
    task: Task = Task.TEXT_TO_IMAGE,
    *,
    image: int = 0,
    speculative: bool = True,
    resume_codes: tuple[int, ...] = (),
    prompt: str = "A small red boat.",
    size: PictureSize = SMALL,
    negative: str | None = None,
    **sampling: Any,
) -> GenerationRequest:
    """Create a request of any task. sampling: fields of SamplingParameters."""
    return GenerationRequest(
        plan_for(loaded, task, prompt=prompt, size=size, negative=negative),
        SamplingParameters(**sampling),
        image=image,
        speculative=speculative,
        resume_codes=resume_codes,
    )


def random_request(loaded: LoadedModel, dice: random.Random) -> GenerationRequest:
    """Create a request with random task, size, mask, negative prompt and sampling."""
    task = dice.choice(list(Task))
    size = SMALL if task.takes_image or dice.random() < 0.9 else PictureSize(64, 64)
    cells = size.width // 8 * (size.height // 8)
    kept = None
    if dice.random() < 0.3:
        free = dice.randrange(cells)
        kept = tuple(
            None if cell == free or dice.random() < 0.5 else dice.randrange(len(loaded.image_ids))
            for cell in range(cells)
        )
    prompt = " ".join(
        dice.choices(["a", "small", "red", "boat", "on", "calm", "water"], k=dice.randint(1, 40))
    )
    negative = None
    if dice.random() < 0.3:
        negative = " ".join(dice.choices(["dark", "noisy", "blue", "text"], k=dice.randint(1, 40)))
    return GenerationRequest(
        plan_for(
            loaded, task, prompt=prompt, size=size, kept=kept, seed=dice.randrange(1000), negative=negative
        ),
        SamplingParameters(
            guidance_scale=dice.choice([1.0, 4.0, 2.5]),
            guidance_schedule=dice.choice(["constant", "reference"]),
            top_k=dice.choice([None, 1, 20, 200]),
            top_p=dice.choice([1.0, 1.0, 0.9]),
            temperature=dice.choice([0, 0.7, 1.0]),
            seed=dice.randrange(1 << 64),
        ),
        image=dice.randrange(4),
    )


@contextmanager
def infinite_logits(loaded: LoadedModel) -> Iterator[None]:
    """Set the model's last norm to infinity, so that drawing a token fails inside the block."""
    weight = loaded.model.norm.weight
    kept = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(torch.inf)
    yield
    with torch.no_grad():
        weight.copy_(kept)


def run_all(
    loaded: LoadedModel, requests: Iterable[GenerationRequest], options: EngineOptions | None = None
) -> list[Handle]:
    """Submit all requests to one engine and run it until they have ended."""
    engine = Engine(loaded, options or EngineOptions(kv_cache_tokens=32_768))
    handles = [engine.submit(request) for request in requests]
    engine.run_until_idle()
    for handle in handles:
        handle.raise_failure()
    return handles
