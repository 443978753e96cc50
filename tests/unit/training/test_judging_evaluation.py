"""The whole evaluation: true pictures get full marks, copied pictures do not, and a report is written."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from shared.tasks import Task
from training.evaluate import SECTIONS, main
from training.judging.codes import code_entropy, empty_cell_entropy, judge_tokenizer
from training.judging.generator import CodeGrid, Drawing, Question, TokenizedAnswers, TrueAnswers
from training.judging.plan import EvaluationPlan
from training.judging.sections.editing import judge_chains
from training.scenes.layout import draw_scene
from training.scenes.rendering import Picture, render
from training.scenes.scene import Scene
from training.scenes.world import CELL, Background

pytestmark = pytest.mark.slow

SMALL = EvaluationPlan(per_row=4, exhibits=1)


class Copier:
    """An editor that returns the given picture unchanged."""

    def generate(self, questions: Sequence[Question]) -> list[Drawing]:
        given = [q.example.given if q.given is None else q.given.picture for q in questions]
        return [Drawing(picture) for picture in given if picture is not None]


class Listener(TrueAnswers):
    """Returns the true pictures and remembers every question."""

    def __init__(self) -> None:
        self.heard: list[Question] = []

    def generate(self, questions: Sequence[Question]) -> list[Drawing]:
        self.heard += questions
        return super().generate(questions)


class MeanColourCodec:
    """A tokenizer whose code is the mean colour of a cell, in 512 steps."""

    codebook_size = 512

    def encode(self, pictures: Sequence[Picture]) -> list[CodeGrid]:
        cells = [picture.reshape(8, CELL, 8, CELL, 3).mean(axis=(1, 3)) for picture in pictures]
        return [np.floor(mean / 32).astype(np.int64) @ np.array([64, 8, 1]) for mean in cells]

    def decode(self, codes: Sequence[CodeGrid]) -> list[Picture]:
        steps = [np.stack([grid // 64, grid // 8 % 8, grid % 8], axis=2) for grid in codes]
        colours = [(step * 32 + 16).astype(np.uint8) for step in steps]
        return [colour.repeat(CELL, axis=0).repeat(CELL, axis=1) for colour in colours]


@pytest.mark.parametrize("name", list(SECTIONS))
def test_true_answers_score_full_marks_in_every_section(name: str) -> None:
    scores = SECTIONS[name](TrueAnswers(), SMALL).scores
    assert {score.row.split for score in scores} == {"train", "held_out"}
    assert all(score.value == 1 for score in scores if score.measure == "success")


def test_a_copied_picture_keeps_the_rest_but_has_no_change() -> None:
    scores = SECTIONS["edit"](Copier(), SMALL).scores
    by_measure = {s.measure: s.value for s in scores if (s.row.name, s.row.split) == ("overall", "train")}
    assert by_measure["change made"] == 0
    assert by_measure["success"] == 0
    assert by_measure["rest kept"] >= 0.8


def test_later_turns_start_from_the_generators_own_drawing() -> None:
    listener = Listener()
    judge_chains(listener, SMALL)
    first, second = listener.heard[0], listener.heard[SMALL.per_row]
    assert first.given is None
    assert second.given is not None
    assert np.array_equal(second.given.picture, first.example.result)


def test_questions_and_seeds_are_the_same_in_every_run() -> None:
    first, second = Listener(), Listener()
    for listener in (first, second):
        SECTIONS["text_to_image"](listener, SMALL)
    asked = [(question.example.prompt, question.seed) for question in first.heard]
    assert asked == [(question.example.prompt, question.seed) for question in second.heard]
    assert len({prompt for prompt, _ in asked}) > len(asked) / 2


def test_a_codec_that_encodes_each_cell_alone_has_no_noise_in_empty_cells() -> None:
    rng = np.random.default_rng(41)
    scenes = [draw_scene(rng, "train") for _ in range(30)]
    codes = MeanColourCodec().encode([render(scene) for scene in scenes])
    assert empty_cell_entropy(codes, scenes) == 0
    assert code_entropy(codes) > 1


def test_noise_in_the_codes_of_empty_cells_is_measured() -> None:
    scene = Scene.of(Background.SNOW, [])
    codes = [np.array([[0, 1] * 4] * 8, np.int64)]
    assert empty_cell_entropy(codes, [scene]) == pytest.approx(np.log(2))


def test_a_coarse_codec_scores_less_than_the_true_pictures() -> None:
    report = judge_tokenizer(MeanColourCodec(), SMALL)
    values = {score.measure: score.value for score in report.scores if score.row.split == "train"}
    assert values["scene recognised"] < 1
    assert values["psnr_db"] < 30
    assert values["codes kept by decode and encode"] == 1
    reconstructed = SECTIONS["subject"](TokenizedAnswers(MeanColourCodec()), SMALL).scores
    assert all(score.value < 1 for score in reconstructed)


def test_the_command_writes_figures_tables_and_a_contact_sheet(tmp_path: Path) -> None:
    arguments = ["--output", str(tmp_path), "--per-row", "2", "--section", "dense", "--section", "chains"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    document = json.loads((tmp_path / "evaluation.json").read_text())
    rows = {score["name"] for score in document["scores"]["truth"]}
    assert {"segmentation", "after 4 edits"} <= rows
    assert "## Dense" in (tmp_path / "evaluation.md").read_text()
    assert (tmp_path / "contact_sheet.png").read_bytes().startswith(b"\x89PNG")


def test_every_task_of_the_model_is_evaluated() -> None:
    assert {str(task) for task in Task} <= set(SECTIONS)
