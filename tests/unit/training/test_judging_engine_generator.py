"""The engine answers the evaluation's questions: shapes, seeds and turns, with an untrained model."""

from pathlib import Path

import numpy as np
import pytest

from luminary.local.pipeline import LocalPipeline
from services.tokenizer.movqgan import load_movqgan
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.loading.load import load_model
from services.worker.engine.sampling.filters import SamplingParameters
from shared.tasks import Task
from training.judging.engine_generator import EngineGenerator
from training.judging.generator import Question
from training.scenes.chains import sample_chain
from training.scenes.examples import edit_example, sample_example

GOLDEN = Path(__file__).parents[2] / "golden/public"


QUICK = {Task.TEXT_TO_IMAGE, Task.DENSE}


@pytest.fixture(scope="module")
def generator() -> EngineGenerator:
    movqgan = load_movqgan(GOLDEN / "movqgan/movqgan_tiny.ckpt")
    pipeline = LocalPipeline(load_model(GOLDEN / "transformer", Precision()), movqgan)
    return EngineGenerator(pipeline, SamplingParameters(guidance_scale=2.0))


@pytest.mark.parametrize(
    "task",
    [
        Task.TEXT_TO_IMAGE,
        Task.DENSE,
        *(pytest.param(task, marks=pytest.mark.long) for task in Task if task not in QUICK),
    ],
)
def test_every_task_is_answered_with_pictures_of_the_results_size(
    generator: EngineGenerator, task: Task
) -> None:
    example = sample_example(np.random.default_rng(51), task)
    drawing = generator.generate([Question(example, 3)])[0]
    assert drawing.picture.shape == example.result.shape
    assert (drawing.partner is None) == (example.partner is None)


def test_a_drawing_depends_on_its_question_and_seed_and_not_on_batch_neighbours(
    generator: EngineGenerator,
) -> None:
    rng = np.random.default_rng(52)
    questions = [Question(sample_example(rng, Task.TEXT_TO_IMAGE), seed) for seed in range(3)]
    together = generator.generate(questions)
    alone = generator.generate(questions[1:2])[0]
    assert np.array_equal(together[1].picture, alone.picture)
    assert not np.array_equal(together[0].picture, together[1].picture)


def test_a_later_turn_starts_from_drawn_codes_and_not_from_the_true_picture(
    generator: EngineGenerator,
) -> None:
    chain = sample_chain(np.random.default_rng(53), 2, "train")
    first, second = (edit_example(step) for step in chain)
    drawn = generator.generate([Question(first, 1)])[0]
    after_drawing, after_truth = generator.generate([Question(second, 2, drawn), Question(second, 2)])
    assert drawn.codes is not None
    assert not np.array_equal(after_drawing.picture, after_truth.picture)
