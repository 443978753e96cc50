"""The judge of the larger world: true pictures score perfectly in every row, wrong ones lower."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from shared.tasks import MapKind, Task
from training.judging.generator import Asked, Drawing, Question, TrueAnswers
from training.judging.plan import SectionReport
from training.world.code_reading import SpelledCodec, read_codes
from training.world.codes import label_cells
from training.world.examples import WorldExample
from training.world.judge.conditioned import judge_controls
from training.world.judge.dense import judge_dense
from training.world.judge.editing import judge_edits
from training.world.judge.evaluation import SECTIONS
from training.world.judge.plan import WorldPlan
from training.world.judge.recognition import recognise
from training.world.judge.text_to_image import judge_text_to_image
from training.world.layout import Novelty, draw_looks, draw_scene, draw_setting, stand_in_front
from training.world.maps import shown_in
from training.world.nouns import COLOURS
from training.world.rendering import Picture, render
from training.world.scene import CANVASES, LITTLE, MAIN, Canvas, Scene, Thing

pytestmark = pytest.mark.xdist_group("world")

LONG = {"text_to_image", "edit"}
"""Sections with the most rows; other tests judge them, too."""
SMALL_PLAN = WorldPlan(per_row=1, exhibits=0, canvas=LITTLE)


class Forger:
    """Returns true scenes whose things have other colours, or the given picture as it is."""

    def __init__(self, *, repaint: bool) -> None:
        self.repaint = repaint

    def generate(self, questions: Sequence[Question]) -> list[Drawing]:
        return [self._forge(question.example) for question in questions]

    def _forge(self, example: Asked) -> Drawing:
        assert isinstance(example, WorldExample)
        if not self.repaint and example.given is not None:
            return Drawing(example.given)
        things = [_repainted(item) for item in example.scene.things]
        return Drawing(render(example.scene.with_things(things)))


def _repainted(item: Thing) -> Thing:
    colour = COLOURS[(COLOURS.index(item.colour) + 1) % len(COLOURS)]
    return replace(item, look=replace(item.look, colour=colour))


def scores(report: SectionReport, measure: str) -> list[float]:
    return [score.value for score in report.scores if score.measure == measure]


@pytest.mark.parametrize(
    "section",
    [pytest.param(name, marks=pytest.mark.long) if name in LONG else name for name in SECTIONS],
)
def test_true_pictures_score_perfectly_in_every_row(section: str) -> None:
    report = SECTIONS[section](TrueAnswers(), SMALL_PLAN)
    assert report.scores
    for score in report.scores:
        if score.measure.startswith("psnr_db"):
            assert score.value > 58
        else:
            assert score.value == (0 if score.measure == "abs_rel" else 1), score


def test_wrong_colours_are_seen() -> None:
    report = judge_text_to_image(Forger(repaint=True), SMALL_PLAN)
    rows = {score.row.name: score.value for score in report.scores}
    assert rows["colours"] == rows["colour attribution"] == rows["pattern"] == rows["whole scene"] == 0
    assert rows["single object"] == rows["counting"] == rows["position"] == 1


def test_a_picture_that_was_not_edited_fails_unless_nothing_was_to_be_done() -> None:
    report = judge_edits(Forger(repaint=False), SMALL_PLAN)
    made = {score.row.name: score.value for score in report.scores if score.measure == "change made"}
    assert made.pop("nothing to change") == 1
    made.pop("overall")
    assert set(made.values()) == {0}


def test_a_map_of_another_kind_fails() -> None:
    values = {score.row.name: score.value for score in judge_dense(Forger(repaint=False), SMALL_PLAN).scores}
    assert values["depth"] > 0.05
    assert max(values[name] for name in ("segmentation", "edges", "pose")) < 0.9


def test_a_picture_of_the_right_layout_in_wrong_colours_fails_control_but_keeps_the_layout() -> None:
    report = judge_controls(Forger(repaint=True), SMALL_PLAN)
    assert set(scores(report, "success")) == {0}
    assert set(scores(report, "layout")) == {1}
    assert set(scores(report, "f1")) == {1}


@pytest.mark.parametrize("canvas", CANVASES, ids=str)
def test_every_thing_is_recognised_through_noise_also_behind_another_one(canvas: Canvas) -> None:
    rng = np.random.default_rng(4)
    for number in range(3):
        scene = draw_scene(rng, "held_out", canvas)
        if number == 0:
            looks = draw_looks(rng, 2, Novelty.NOTHING)
            scene = Scene.of(draw_setting(rng), stand_in_front(rng, looks[0], looks[1], canvas), canvas)
        noise = rng.normal(0, 6, (*canvas.pixels, 3))
        assert recognise(np.clip(render(scene) + noise, 0, 255).astype(np.uint8)) == scene


@pytest.mark.parametrize("shown", [None, *MapKind])
def test_codes_are_read_back_as_the_scene_that_they_spell(shown: MapKind | None) -> None:
    rng = np.random.default_rng(6)
    for canvas in CANVASES:
        scene = draw_scene(rng, "held_out", canvas)
        if not shown_in(scene, shown):
            continue
        reading = read_codes(label_cells(scene, shown))
        assert not reading.strays.any()
        assert reading.shown is shown or shown in {MapKind.EDGES, MapKind.HED, MapKind.POSE}
        places = [(item.kind, item.size, item.row, item.column) for item in reading.scene.things]
        assert places == [(i.kind, i.size, i.row, i.column) for i in shown_in(scene, shown)]
        if shown is None:
            assert reading.scene == scene


def test_a_wrong_code_is_drawn_as_a_stray_cell() -> None:
    scene = draw_scene(np.random.default_rng(8), "train", MAIN, count=3)
    grid = label_cells(scene)
    wrong = grid.copy()
    wrong[0, 0] = grid[scene.things[0].row, scene.things[0].column]
    whole, spoiled = SpelledCodec().decode([grid, wrong])
    assert np.array_equal(whole, render(scene))
    assert _different_cells(whole, spoiled) == {(0, 0)}
    assert read_codes(wrong).scene == scene


def test_a_tall_grid_is_two_panels() -> None:
    scene = draw_scene(np.random.default_rng(8), "train", LITTLE)
    pair = np.concatenate([label_cells(scene), label_cells(scene, MapKind.DEPTH)])
    example = WorldExample(Task.IMAGE_PAIR, "", scene, control=MapKind.DEPTH)
    assert example.partner is not None
    assert np.array_equal(SpelledCodec().decode([pair])[0], np.concatenate([example.result, example.partner]))


def _different_cells(one: Picture, other: Picture) -> set[tuple[int, int]]:
    different = (one != other).any(axis=2)
    return {(int(row) // 8, int(column) // 8) for row, column in np.argwhere(different)}
