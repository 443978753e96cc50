"""The bundled model is complete and small, and draws most of the requested pictures correctly."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from luminary.local.pipeline import LocalPipeline
from services.worker.engine.sampling.filters import SamplingParameters
from shared.tasks import Task
from training.judging.engine_generator import EngineGenerator
from training.judging.generator import Question
from training.judging.recognition import recognise
from training.judging.verdicts import judge_edit
from training.scenes import sample_example
from training.scenes.chains import sample_step
from training.scenes.examples import edit_example, text_to_image_example
from training.scenes.prompts import Row

MODEL = Path(__file__).parents[2] / "models/tiny"
LARGEST = 40_000_000
"""Limit of the folder in bytes, because every clone downloads it."""


@pytest.fixture(scope="module")
def generator() -> EngineGenerator:
    pipeline = LocalPipeline.load(MODEL)
    sampling = SamplingParameters(guidance_scale=pipeline.loaded.default_guidance_scale)
    return EngineGenerator(pipeline, sampling)


def test_the_folder_is_complete_and_small():
    files = [path for path in MODEL.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= LARGEST
    assert MODEL / "MODEL_CARD.md" in files


def test_loading_leaves_the_compiler_of_torch_alone():
    code = (
        "import sys, pathlib, luminary.local.pipeline as local;"
        f"local.LocalPipeline.load(pathlib.Path({str(MODEL)!r}));"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("task", list(Task))
def test_speculation_draws_the_tokens_of_sequential_decoding_in_fewer_passes(
    generator: EngineGenerator, task: Task
):
    rng = np.random.default_rng(1)
    requests = [
        generator.request(Question(sample_example(rng, task, split="held_out"), seed)) for seed in range(3)
    ]
    engine = generator.pipeline.engine
    sequential, speculative = (
        [engine.submit(replace(request, speculative=speculates)) for request in requests]
        for speculates in (False, True)
    )
    engine.run_until_idle()
    for alone, drafted in zip(sequential, speculative, strict=True):
        assert drafted.codes == alone.codes
        assert drafted.progress.forward_passes < alone.progress.forward_passes


def test_most_single_objects_that_are_asked_for_appear(generator: EngineGenerator):
    rng = np.random.default_rng(2)
    examples = [text_to_image_example(rng, Row.SINGLE_OBJECT, "held_out") for _ in range(20)]
    drawings = generator.generate([Question(example, seed) for seed, example in enumerate(examples)])
    right = sum(
        example.criterion is not None and example.criterion.fits(recognise(drawing.picture))
        for drawing, example in zip(drawings, examples, strict=True)
    )
    assert right >= 16


def test_most_edits_change_what_was_asked_and_nothing_else(generator: EngineGenerator):
    rng = np.random.default_rng(3)
    steps = [sample_step(rng, "held_out") for _ in range(20)]
    drawings = generator.generate([Question(edit_example(step), seed) for seed, step in enumerate(steps)])
    right = sum(
        judge_edit(drawing.picture, step).success for drawing, step in zip(drawings, steps, strict=True)
    )
    assert right >= 14
