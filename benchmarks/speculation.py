"""Measure what speculative decoding saves on a trained model, by task, and check that it changes no picture.

    python -m benchmarks.speculation --model models/tiny --out docs/benchmarks/speculation.json

The model draws held-out questions of the scene world, one picture at a time. Each picture is drawn
sequentially, with the windows that the engine chooses (the fastest ones on this machine), and with the widest
window. The widest window saves the most forward passes; it is the fastest where a pass takes the same time at
any width, as on a GPU. The tokens must be the same.
"""

import argparse
import json
import statistics
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import describe_machine
from luminary.local.pipeline import LocalPipeline
from services.worker.engine.engine import Engine, EngineOptions
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sampling.filters import SamplingParameters
from shared.tasks import Task
from training.judging.engine_generator import EngineGenerator
from training.judging.generator import Question
from training.scenes import sample_example
from training.scenes.world import CELL

WIDEST = 63


@dataclass(frozen=True)
class Row:
    """Medians over the pictures of one task. Ratios are sequential divided by speculative."""

    task: str
    pictures: int
    codes: int
    seconds_sequential: float
    seconds_speculative: float
    time_ratio: float
    pass_ratio: float
    pass_ratio_widest: float
    identical: bool


@dataclass(frozen=True)
class Run:
    """Codes, forward passes and seconds of one picture."""

    codes: tuple[int, ...]
    passes: int
    seconds: float


def draw(pipeline: LocalPipeline, request: GenerationRequest, window: int | None) -> Run:
    """Draw one picture without batch neighbours. window: drafts per pass; None lets the engine choose."""
    engine = Engine(pipeline.loaded, EngineOptions(kv_cache_tokens=4096, max_sequences=1, window=window))
    started = time.perf_counter()
    handle = engine.submit(request)
    engine.run_until_idle()
    handle.raise_failure()
    seconds = time.perf_counter() - started
    return Run(tuple(handle.codes), handle.progress.forward_passes, seconds)


def measure(
    generator: EngineGenerator, pipeline: LocalPipeline, task: Task, pictures: int, cells: int
) -> Row:
    """Draw `pictures` held-out questions of a task in three ways."""
    rng = np.random.default_rng([1, pictures])
    time_ratios: list[float] = []
    runs: list[tuple[Run, Run, Run]] = []
    for index in range(pictures):
        question = Question(sample_example(rng, task, split="held_out", cells=cells), index)
        request = generator.request(question)
        sequential = draw(pipeline, replace(request, speculative=False), None)
        chosen = draw(pipeline, replace(request, speculative=True), None)
        widest = draw(pipeline, replace(request, speculative=True), WIDEST)
        runs.append((sequential, chosen, widest))
        time_ratios.append(sequential.seconds / chosen.seconds)
    return Row(
        task=task,
        pictures=pictures,
        codes=len(runs[0][0].codes),
        seconds_sequential=round(statistics.median(sequential.seconds for sequential, _, _ in runs), 3),
        seconds_speculative=round(statistics.median(chosen.seconds for _, chosen, _ in runs), 3),
        time_ratio=round(statistics.median(time_ratios), 2),
        pass_ratio=round(statistics.median(one.passes / two.passes for one, two, _ in runs), 2),
        pass_ratio_widest=round(statistics.median(one.passes / three.passes for one, _, three in runs), 2),
        identical=all(one.codes == two.codes == three.codes for one, two, three in runs),
    )


def main() -> None:
    """Read the arguments, measure, and write the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/tiny"))
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/speculation.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pipeline = LocalPipeline.load(arguments.model, device=arguments.device)
    sampling = SamplingParameters(guidance_scale=pipeline.loaded.default_guidance_scale)
    generator = EngineGenerator(pipeline, sampling)
    rows: list[Row] = []
    for task in Task:
        rows.append(measure(generator, pipeline, task, arguments.pictures, arguments.side // CELL))
        print(rows[-1], flush=True)
    results = {
        "machine": describe_machine(torch.device(arguments.device)),
        "rows": [asdict(row) for row in rows],
    }
    arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
