"""Pictures and maps show exactly the scene."""

from dataclasses import replace

import numpy as np
import pytest

from shared.tasks import MapKind
from training.scenes.maps import depth_map, edge_map, owner_map, render_map
from training.scenes.palette import SEGMENTATION
from training.scenes.rendering import render
from training.scenes.scene import Scene, SceneObject
from training.scenes.world import CELL, KINDS, PLACES, SCENERIES, SIZES, Background, Colour, Kind, Place, Size

BALL = SceneObject(Kind.BALL, Colour.RED, Size.LARGE, 0, 0)


def scene_with(*objects: SceneObject, background: Background = Background.MEADOW, cells: int = 8) -> Scene:
    return Scene.of(background, objects, cells)


@pytest.mark.parametrize("background", SCENERIES)
def test_all_cells_in_a_row_of_an_empty_background_look_the_same(background: Background) -> None:
    rows = render(scene_with(background=background)).reshape(8, CELL, 64, 3)
    assert (rows == rows[:, :1, :1]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_looks_the_same_at_every_position_in_a_row(kind: Kind) -> None:
    item = SceneObject(kind, Colour.BLUE, Size.SMALL, 6, 0)
    elsewhere = replace(item, column=5)
    assert np.array_equal(render(scene_with(item))[item.box], render(scene_with(elsewhere))[elsewhere.box])


@pytest.mark.parametrize("cells", [8, 12])
@pytest.mark.parametrize("size", SIZES)
def test_every_named_place_lies_inside_and_no_object_is_cut_by_the_horizon(size: Size, cells: int) -> None:
    for place in PLACES:
        item = replace(BALL, size=size).at(place, cells)
        horizon = scene_with(cells=cells).horizon
        assert item.row >= 0
        assert item.foot <= cells
        assert item.foot <= horizon or item.row >= horizon
        assert item.place(cells) is place


def test_a_picture_differs_from_its_background_only_inside_the_boxes() -> None:
    scene = scene_with(BALL.at(Place.MIDDLE, 8))
    different = (render(scene) != render(scene_with())).any(axis=2)
    outside = different.copy()
    outside[scene.objects[0].box] = False
    assert different.any()
    assert not outside.any()


@pytest.mark.parametrize("kind", list(MapKind))
@pytest.mark.parametrize("cells", [8, 12])
def test_every_map_is_a_picture_of_the_scenes_size(kind: MapKind, cells: int) -> None:
    picture = render_map(scene_with(BALL.at(Place.TOP, cells), cells=cells), kind)
    assert picture.shape == (8 * cells, 8 * cells, 3)
    assert picture.dtype == np.uint8


def test_a_nearer_object_hides_the_farther_one_in_every_map() -> None:
    back = SceneObject(Kind.CUBE, Colour.RED, Size.LARGE, 2, 2)
    front = SceneObject(Kind.BALL, Colour.BLUE, Size.LARGE, 3, 4)
    scene = scene_with(front, back)
    assert [item.kind for item in scene.objects] == [Kind.CUBE, Kind.BALL]
    centre = (3 * CELL + 12, 4 * CELL + 12)
    assert owner_map(scene)[centre] == 1
    assert tuple(render_map(scene, MapKind.SEGMENTATION)[centre]) == SEGMENTATION[Kind.BALL]
    in_front = owner_map(scene) == 1
    assert np.array_equal(edge_map(scene)[in_front], edge_map(scene_with(front))[in_front])


def test_depth_grows_lighter_towards_the_viewer() -> None:
    far, near = BALL.at(Place.TOP_LEFT, 8), BALL.at(Place.BOTTOM_RIGHT, 8)
    depth = depth_map(scene_with(far, near))
    owners = owner_map(scene_with(far, near))
    assert depth[owners == 1].min() > depth[owners == 0].max() > depth[owners == -1].max()


def test_classes_of_the_segmentation_map_are_far_apart() -> None:
    colours = np.array([(0, 0, 0), *SEGMENTATION.values()], float)
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=2)
    assert distances[~np.eye(len(colours), dtype=bool)].min() > 60
