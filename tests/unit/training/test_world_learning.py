"""Training of the larger world's model: sequences, batches, pictures, runs in slices."""

import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from services.tokenizer.movqgan import MoVQGAN, load_movqgan
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.model.transformer import Transformer
from services.worker.model.card import read_known_words
from shared.tasks import Task
from training.checkpoints import latest_checkpoint, read_checkpoint
from training.data.requests import complete_sequence, read_vocabulary
from training.tokenizer.trainer import START, TokenizerOptions, TokenizerTrainer
from training.transformer.trainer import TrainingOptions
from training.world.codes import alphabet
from training.world.examples import sample_example
from training.world.known_words import known_words
from training.world.learning.ahead import MadeAhead
from training.world.learning.batches import PHASES, FreshBatches, shares_of_panels
from training.world.learning.export import export_world
from training.world.learning.pictures import PictureMaker
from training.world.learning.run import CHECKPOINTS, Course, Slice, row_maker, train
from training.world.learning.sequences import request_of
from training.world.learning.start import (
    MODEL,
    TOKENIZER,
    WorldShape,
    model_config,
    start_run,
    tokenizer_config,
)
from training.world.scene import CANVASES, LITTLE, MAIN, Canvas

pytestmark = pytest.mark.xdist_group("world")

TOY = WorldShape(hidden=32, layers=1, heads=2, words=60, prompts=120, deepest=1, components=8)
COURSE = Course(batch=4, seed=3)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("world")
    start_run(run, TOY, seed=1)
    return run


def test_a_default_model_has_at_most_ten_million_parameters_and_fits_into_60_mb() -> None:
    shape = WorldShape()
    vocabulary = 256 + shape.words + len(alphabet()) + 13
    models = Transformer(model_config(shape, vocabulary=vocabulary)), MoVQGAN(tokenizer_config(shape))
    decoder, tokenizer = (sum(p.numel() for p in model.parameters()) for model in models)
    assert decoder <= 10_000_000
    assert 4 * (decoder + tokenizer) <= 60_000_000


@pytest.mark.parametrize(("task", "canvas"), list(product(Task, (LITTLE, MAIN))), ids=str)
def test_a_sequence_is_the_one_that_the_engine_lays_out(started: Path, task: Task, canvas: Canvas) -> None:
    vocabulary, text_tokenizer = read_vocabulary(started / MODEL)
    example = sample_example(np.random.default_rng(5), canvas, task)
    request = request_of(example)
    given = example.given_codes
    if given is not None:
        codes = tuple(given.reshape(-1).tolist())
        request = PictureRequest(request.task, request.prompt, request.size, request.map, given_codes=codes)
    drawn = example.drawn_codes.reshape(-1).tolist()
    expected = complete_sequence(vocabulary, text_tokenizer, request, drawn)
    made = row_maker(started / MODEL, COURSE).layout.sequence(example)
    assert tuple(made.tokens.tolist()) == expected.tokens
    assert (made.image_start, made.result_start) == (expected.image_start, expected.result_start)


def test_shares_of_sizes_and_panels_sum_to_one_and_the_last_phase_never_ends() -> None:
    assert all(sum(phase.canvases.values()) == pytest.approx(1) for phase in PHASES)
    assert all(set(phase.canvases) == set(CANVASES) for phase in PHASES)
    assert PHASES[-1].until == float("inf")
    for one in (True, False):
        assert sum(shares_of_panels(one=one).values()) == pytest.approx(1)


def test_what_is_made_ahead_by_other_processes_is_that_of_its_step() -> None:
    with MadeAhead(math.factorial, 1) as ahead:
        assert [ahead(step) for step in (0, 1, 2, 7, 3)] == [1, 1, 2, 5040, 6]


def test_a_batch_depends_on_its_step_alone_and_draws_every_cell_of_the_result(started: Path) -> None:
    maker = row_maker(started / MODEL, COURSE)
    with MadeAhead(maker, 0) as rows:
        source = FreshBatches(maker, rows)
        one, again, other = source.batch(0), source.batch(0), source.batch(1)
    assert torch.equal(one.tokens, again.tokens)
    assert one.tokens.shape != other.tokens.shape or not torch.equal(one.tokens, other.tokens)
    cells = len(one.targets) // COURSE.batch
    assert cells in {canvas.rows * canvas.columns for canvas in CANVASES}
    assert torch.equal(one.tokens.flatten()[one.drawn + 1], one.targets)


def test_a_run_in_slices_ends_with_the_weights_of_one_piece(started: Path) -> None:
    part = Slice(minutes=10, device=CPU, processes=0)

    def state_after(run: Path, slices: list[int]) -> dict[str, Any]:
        run.mkdir()
        (run / MODEL).symlink_to(started / MODEL)
        for steps in slices:
            assert train(run, COURSE, TrainingOptions(steps, warmup=1, bf16=False, decay=0), part) == steps
        path = latest_checkpoint(run / CHECKPOINTS)
        assert path is not None
        return read_checkpoint(path)

    whole = state_after(started / "whole", [3])
    sliced = state_after(started / "sliced", [1, 3])
    assert whole["step"] == sliced["step"] == 3
    for name, weight in whole["masters"].items():
        assert torch.equal(weight, sliced["masters"][name]), name


def test_a_slice_ends_when_its_time_is_over_and_keeps_what_it_learned(started: Path) -> None:
    run = started / "short"
    run.mkdir()
    (run / MODEL).symlink_to(started / MODEL)
    (run / TOKENIZER).symlink_to(started / TOKENIZER)
    done = train(run, COURSE, TrainingOptions(1000, warmup=1, bf16=False), Slice(1e-4, CPU, 0))
    assert 1 <= done < 1000
    assert export_world(run, run / "model") == done
    assert read_known_words(run / "model") == list(known_words())


def test_the_tokenizer_learns_from_pictures_with_their_true_codes(started: Path) -> None:
    maker = PictureMaker(4, seed=2)
    for step in range(4):
        labelled = maker(step)
        count, height, width = labelled.pictures.shape[:3]
        assert labelled.codes.shape == (count, height // 8, width // 8)
    assert np.array_equal(maker(1).pictures, maker(1).pictures)
    model = load_movqgan(started / TOKENIZER / START)
    trainer = TokenizerTrainer(model, TokenizerOptions(2, batch=2, bf16=False), PictureMaker(2, seed=2))
    assert np.isfinite(trainer.train_step()["loss"])
