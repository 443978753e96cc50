"""Compare the pictures of a GPU with those of the CPU, token for token.

    python -m benchmarks.devices --model models/tiny --device cuda

Draws the same float32 requests on both devices, for every task with some seeds, and counts equal pictures.
Equality is not guaranteed: floating-point sums differ between devices in the last bits.
"""

import argparse
import json
from pathlib import Path

import torch

from services.worker.engine.engine import Engine
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.layout.sequence_plan import plan_sequence
from services.worker.engine.loading.load import LoadedModel, load_model
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sampling.filters import SamplingParameters
from shared.tasks import MapKind, Task

PROMPT = "a red star and a blue ball"
MAPS = {Task.IMAGE_PAIR: MapKind.DEPTH, Task.CONTROL: MapKind.HED, Task.DENSE: MapKind.SEGMENTATION}


def draw(loaded: LoadedModel, seeds: int) -> dict[tuple[str, int], tuple[int, ...]]:
    """Codes by task and seed; all requests run in one batch, with the model's default size and guidance."""
    engine = Engine(loaded)
    handles = {
        (str(task), seed): engine.submit(_request(loaded, task, seed))
        for task in Task
        for seed in range(seeds)
    }
    engine.run_until_idle()
    for handle in handles.values():
        handle.raise_failure()
    return {key: handle.codes for key, handle in handles.items()}


def _request(loaded: LoadedModel, task: Task, seed: int) -> GenerationRequest:
    size = loaded.default_size
    cells = size.width // 8 * (size.height // 8)
    given = tuple(37 * cell % len(loaded.image_ids) for cell in range(cells)) if task.takes_image else None
    picture = PictureRequest(task, PROMPT, size, map=MAPS.get(task), given_codes=given)
    plan = plan_sequence(loaded.vocabulary, loaded.text_tokenizer, picture)
    return GenerationRequest(
        plan, SamplingParameters(guidance_scale=loaded.default_guidance_scale, seed=seed)
    )


def main() -> None:
    """Draw on both devices and print the comparison as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, default=Path("models/tiny"))
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seeds", type=int, default=4)
    arguments = parser.parse_args()
    here, there = (
        draw(load_model(arguments.model, device=torch.device(name)), arguments.seeds)
        for name in ("cpu", arguments.device)
    )
    first_differences = {
        f"{task} {seed}": next(
            place
            for place, pair in enumerate(zip(codes, there[task, seed], strict=True))
            if len(set(pair)) > 1
        )
        for (task, seed), codes in here.items()
        if codes != there[task, seed]
    }
    print(
        json.dumps(
            {
                "pictures": len(here),
                "same": len(here) - len(first_differences),
                "differ_from": first_differences,
            }
        )
    )


if __name__ == "__main__":
    main()
