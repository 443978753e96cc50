"""Verdicts accept the right picture and reject every kind of wrong one; metrics have known values."""

import math

import numpy as np
import pytest

from shared.tasks import MapKind
from training.judging.map_reading import object_edges, read_edges, read_segmentation
from training.judging.metrics import edge_f1, mean_iou, psnr, relative_error, ssim
from training.judging.scores import wilson_interval
from training.judging.verdicts import judge_edit, shows_exactly
from training.scenes.chains import EDIT_KINDS, sample_step
from training.scenes.edits import EditKind
from training.scenes.layout import draw_scene
from training.scenes.maps import edge_map, render_map
from training.scenes.rendering import render
from training.scenes.scene import Scene
from training.scenes.world import SCENERIES


@pytest.mark.parametrize("kind", EDIT_KINDS)
def test_the_exact_result_of_an_edit_succeeds(kind: EditKind) -> None:
    rng = np.random.default_rng(31)
    for _ in range(10):
        step = sample_step(rng, "held_out", kind=kind)
        verdict = judge_edit(render(step.after), step)
        assert verdict.success
        assert verdict.kept_psnr > 58


@pytest.mark.parametrize("kind", EDIT_KINDS)
def test_the_unchanged_picture_is_not_an_edit(kind: EditKind) -> None:
    rng = np.random.default_rng(32)
    for _ in range(10):
        step = sample_step(rng, "train", kind=kind)
        verdict = judge_edit(render(step.before), step)
        assert not verdict.change_made
        assert verdict.rest_kept or kind is EditKind.REMOVE


@pytest.mark.parametrize("kind", [kind for kind in EDIT_KINDS if kind is not EditKind.BACKGROUND])
def test_an_edit_that_also_changes_the_background_has_not_kept_the_rest(kind: EditKind) -> None:
    rng = np.random.default_rng(33)
    step = sample_step(rng, "train", kind=kind)
    other = next(background for background in SCENERIES if background is not step.after.background)
    verdict = judge_edit(render(Scene.of(other, step.after.objects)), step)
    assert verdict.change_made
    assert not verdict.rest_kept


def test_an_edit_that_loses_another_object_has_not_kept_the_rest() -> None:
    rng = np.random.default_rng(34)
    step = next(
        s for s in iter(lambda: sample_step(rng, "train", kind=EditKind.ADD), None) if s.before.objects
    )
    assert step.edit.after is not None
    verdict = judge_edit(render(Scene.of(step.after.background, [step.edit.after])), step)
    assert verdict.change_made
    assert not verdict.rest_kept


def test_a_picture_with_one_wrong_empty_cell_does_not_show_the_scene_exactly() -> None:
    scene = draw_scene(np.random.default_rng(35), "train", count=1)
    picture = render(scene)
    assert shows_exactly(picture, scene)
    column = 0 if scene.objects[0].column >= 2 else 56
    picture[:8, column : column + 8] = 128 - picture[:8, column : column + 8] // 2
    assert not shows_exactly(picture, scene)


def test_edges_detected_in_true_pictures_match_the_exact_edge_map() -> None:
    rng = np.random.default_rng(36)
    scenes = [draw_scene(rng, "train") for _ in range(40)]
    scores = [edge_f1(object_edges(render(scene)), edge_map(scene)) for scene in scenes]
    assert sum(scores) / len(scores) > 0.93


def test_edges_one_pixel_away_count_and_two_pixels_away_do_not() -> None:
    truth = np.zeros((16, 16), np.bool_)
    truth[8] = True
    assert edge_f1(np.roll(truth, 1, axis=0), truth) == 1
    assert edge_f1(np.roll(truth, 2, axis=0), truth) == 0
    assert edge_f1(np.zeros_like(truth), truth) == 0


def test_maps_are_read_back_exactly() -> None:
    scene = draw_scene(np.random.default_rng(37), "train", count=4)
    classes = read_segmentation(render_map(scene, MapKind.SEGMENTATION))
    assert len(np.unique(classes)) == 1 + len({item.kind for item in scene.objects})
    assert np.array_equal(read_edges(render_map(scene, MapKind.EDGES)), edge_map(scene))


def test_mean_iou_counts_only_classes_that_occur() -> None:
    truth = np.array([[0, 0, 1, 1]])
    predicted = np.array([[0, 1, 1, 1]])
    assert mean_iou([(predicted, truth)], classes=5) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_psnr_ssim_and_relative_error_of_known_pictures() -> None:
    black = np.zeros((16, 16, 3), np.uint8)
    grey = np.full_like(black, 10)
    assert psnr(grey, black) == pytest.approx(20 * math.log10(25.5))
    assert ssim(black, black) == pytest.approx(1)
    everywhere = np.ones((2, 2), np.bool_)
    assert relative_error(np.full((2, 2), 90.0), np.full((2, 2), 100.0), everywhere) == pytest.approx(0.1)


def test_wilsons_interval_has_the_textbook_values() -> None:
    assert wilson_interval(100, 100) == pytest.approx((0.963, 1.0), abs=1e-3)
    assert wilson_interval(50, 100) == pytest.approx((0.404, 0.596), abs=1e-3)
