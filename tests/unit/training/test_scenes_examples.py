"""Examples match their scenes, belong to their split and depend only on the seed."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from shared.tasks import Task
from training.scenes.chains import EDIT_KINDS, LONGEST_CHAIN, sample_chain, sample_step
from training.scenes.descriptions import Description, Mention
from training.scenes.edits import EditKind
from training.scenes.examples import CONTROLS, MIXTURE, PROMPT_ROWS, TARGETS, TrainingExample, sample_example
from training.scenes.layout import draw_scene
from training.scenes.maps import render_map
from training.scenes.prompts import GENEVAL_ROWS, Row, sample_prompt
from training.scenes.rendering import render
from training.scenes.scene import Scene, SceneObject, holds
from training.scenes.splits import (
    Split,
    can_be_guessed,
    is_new_object,
    is_new_pair,
    is_new_relation,
    is_new_scene,
)
from training.scenes.world import COLOURS, KINDS, RELATIONS, Background, Colour, Kind, Relation, Size

MANY = 60
SPLITS: tuple[Split, ...] = ("train", "held_out")


def examples(task: Task, split: Split = "train", seed: int = 3) -> list[TrainingExample]:
    rng = np.random.default_rng(seed)
    return [sample_example(rng, task, split) for _ in range(MANY)]


def scenes_of(example: TrainingExample) -> list[Scene]:
    return [example.scene] if example.step is None else [example.step.before, example.step.after]


@pytest.mark.parametrize("task", list(Task))
def test_equal_seeds_give_equal_examples(task: Task) -> None:
    for first, second in zip(examples(task), examples(task), strict=True):
        assert first.prompt == second.prompt
        assert all(np.array_equal(a, b) for a, b in zip(first.panels, second.panels, strict=True))


@pytest.mark.parametrize("task", list(Task))
def test_training_never_shows_a_held_out_combination(task: Task) -> None:
    assert not any(is_new_scene(scene) for example in examples(task) for scene in scenes_of(example))


@pytest.mark.parametrize("task", [task for task in Task if task is not Task.TEXT_TO_IMAGE])
def test_every_held_out_example_shows_a_new_combination(task: Task) -> None:
    assert all(is_new_scene(example.scene) for example in examples(task, "held_out"))


@pytest.mark.parametrize("task", [Task.TEXT_TO_IMAGE, Task.CONTROL, Task.IMAGE_PAIR])
def test_training_prompts_never_allow_guessing_which_object_has_which_colour(
    task: Task,
) -> None:
    def guessable(split: Split) -> int:
        coloured = [e for e in examples(task, split) if e.criterion and e.criterion.names_colours]
        return sum(can_be_guessed(example.scene.objects) for example in coloured)

    assert guessable("train") == 0
    assert guessable("held_out") > 0


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("row", list(Row))
def test_the_scene_of_a_prompt_fits_its_criterion(row: Row, split: Split) -> None:
    rng = np.random.default_rng(5)
    for _ in range(MANY):
        case = sample_prompt(rng, row, split)
        assert case.criterion.fits(case.scene)
        if row is Row.POSITION:
            first, second = case.criterion.mentions
            assert case.criterion.relation is not None
            new = is_new_relation(first.kind, case.criterion.relation, second.kind)
            assert new == (split == "held_out")
        else:
            assert is_new_scene(case.scene) == (split == "held_out")


@pytest.mark.parametrize("task", [Task.CONTROL, Task.SUBJECT, Task.IMAGE_PAIR])
def test_the_criterion_of_an_example_fits_its_scene(task: Task) -> None:
    for example in examples(task):
        assert example.criterion is not None
        assert example.criterion.fits(example.scene)


def test_prompts_are_short_and_use_few_lower_case_words() -> None:
    rng = np.random.default_rng(8)
    prompts = [sample_example(rng).prompt.replace(",", "") for _ in range(1500)]
    words = {word for prompt in prompts for word in prompt.split()}
    assert max(len(prompt.split()) for prompt in prompts) <= 20
    assert all(word.islower() for word in words)
    assert len(words) < 100


def test_the_shares_of_tasks_and_rows_sum_to_one() -> None:
    assert sum(MIXTURE.values()) == pytest.approx(1)
    assert sum(PROMPT_ROWS.values()) == pytest.approx(1)
    assert set(MIXTURE) == set(Task)
    assert set(PROMPT_ROWS) == set(Row)
    assert len(GENEVAL_ROWS) == 6


def test_a_control_panel_is_the_map_of_the_result_and_a_dense_example_is_given_the_picture() -> None:
    for example in examples(Task.CONTROL):
        assert example.control is not None
        assert example.control in CONTROLS
        assert np.array_equal(example.panels[0], render_map(example.scene, example.control))
    for example in examples(Task.DENSE):
        assert example.target in TARGETS
        assert np.array_equal(example.panels[0], render(example.scene))


@pytest.mark.parametrize("kind", EDIT_KINDS)
def test_an_edit_changes_one_thing_and_keeps_everything_else(kind: EditKind) -> None:
    rng = np.random.default_rng(2)
    for _ in range(MANY):
        step = sample_step(rng, "train", kind=kind)
        left, came = set(step.before.objects), set(step.after.objects)
        backgrounds_differ = step.before.background is not step.after.background
        assert len(left - came) == (kind in {"remove", "replace", "recolour", "move"})
        assert len(came - left) == (kind in {"add", "replace", "recolour", "move"})
        assert backgrounds_differ == (kind is EditKind.BACKGROUND)
        assert not any(a.overlaps(b) for a, b in combinations(step.after.objects, 2))


@pytest.mark.parametrize("split", SPLITS)
def test_each_edit_of_a_chain_starts_from_the_scene_after_the_previous_one(split: Split) -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        chain = sample_chain(rng, LONGEST_CHAIN, split)
        assert len(chain) == LONGEST_CHAIN
        for earlier, later in pairwise(chain):
            assert later.before == earlier.after


def test_an_instruction_names_the_colour_only_if_several_objects_have_the_kind() -> None:
    rng = np.random.default_rng(6)
    for _ in range(300):
        step = sample_step(rng, "train", kind=EditKind.REMOVE)
        target = step.edit.before
        assert target is not None
        alone = sum(item.kind is target.kind for item in step.before.objects) == 1
        assert (str(target.colour) in step.instruction.split()) == (not alone)


def test_held_out_combinations_leave_every_kind_and_colour_in_training() -> None:
    assert all(any(not is_new_object(kind, colour) for colour in COLOURS) for kind in KINDS)
    assert all(any(not is_new_object(kind, colour) for kind in KINDS) for colour in COLOURS)
    assert sum(is_new_object(kind, colour) for kind in KINDS for colour in COLOURS) == 12
    assert sum(is_new_pair(*pair) for pair in combinations(KINDS, 2)) == 14
    for relation in RELATIONS:
        assert 0 < sum(is_new_relation(a, relation, b) for a in KINDS for b in KINDS) < 20


def test_of_two_overlapping_objects_one_is_in_front_of_the_other() -> None:
    rng = np.random.default_rng(9)
    pairs = [draw_scene(rng, "train", count=2).objects for _ in range(400)]
    overlapping = [(back, front) for back, front in pairs if back.overlaps(front)]
    assert len(overlapping) > 10
    assert all(holds(Relation.IN_FRONT_OF, front, back) for back, front in overlapping)


def test_a_count_above_one_is_exact_and_one_means_at_least_one() -> None:
    stars = [SceneObject(Kind.STAR, Colour.RED, Size.SMALL, 0, column) for column in (0, 3, 6)]
    scene = Scene.of(Background.NIGHT, stars)
    assert Description((Mention(Kind.STAR),)).fits(scene)
    assert Description((Mention(Kind.STAR, count=3),)).fits(scene)
    assert not Description((Mention(Kind.STAR, count=2),)).fits(scene)
    assert not Description((Mention(Kind.STAR),), background=Background.SNOW).fits(scene)
