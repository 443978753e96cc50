"""The larger world: pictures, maps and codes show exactly the scene."""

import hashlib
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from shared.tasks import MapKind
from training.world.codes import Ground, Paint, Shape, alphabet, label_cells, settings
from training.world.landscape.painting import paint_landscape
from training.world.maps import depth_map, edge_map, owner_map, render_map, shown_in
from training.world.nature import NATURAL
from training.world.nouns import (
    COLOURS,
    KINDS,
    PATTERNS,
    SCENERIES,
    SIZES,
    Colour,
    Family,
    Kind,
    Pattern,
    Relation,
    Scenery,
    Size,
    Time,
    Weather,
)
from training.world.palette import SEGMENTATION
from training.world.rendering import empty_picture, render
from training.world.scene import (
    CANVASES,
    LITTLE,
    MAIN,
    TALL,
    Canvas,
    Look,
    Scene,
    Setting,
    Thing,
    holds,
    place_of,
    slots_of,
    stand,
)
from training.world.stamps import colour_stamp, silhouette

pytestmark = pytest.mark.xdist_group("world")

CAT = Look(Kind.CAT, Colour.RED, Pattern.PLAIN, Size.LARGE)
BEACH = Setting(Scenery.BEACH)
CODES_FINGERPRINT = "2683552746ea454a"
"""Digest of the codes of all landscapes. Weights are trained for these codes: they must never change."""


def scene_with(*things: Thing, setting: Setting = BEACH, canvas: Canvas = MAIN) -> Scene:
    return Scene.of(setting, things, canvas)


def test_there_are_as_many_things_colours_and_sceneries_as_promised() -> None:
    assert len(KINDS) >= 40
    assert (len(COLOURS), len(PATTERNS), len(SIZES), len(SCENERIES)) == (10, 3, 3, 10)
    assert {kind.family for kind in KINDS} == set(Family)
    assert set(NATURAL) == set(KINDS) == set(SEGMENTATION)


def test_every_class_has_a_colour_far_from_all_others() -> None:
    colours = np.array([(0, 0, 0), *SEGMENTATION.values()])
    distances = np.abs(colours[:, None] - colours[None]).sum(axis=2)
    assert distances[~np.eye(len(colours), dtype=bool)].min() >= 85


def test_no_two_kinds_have_nearly_the_same_silhouette() -> None:
    shapes = {kind: silhouette(kind, Size.SMALL) for kind in KINDS}
    for (one, a), (other, b) in product(shapes.items(), shapes.items()):
        if one < other:
            assert (a & b).sum() / (a | b).sum() < 0.94, (one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_most_of_a_thing_shows_its_colour_and_its_pattern(kind: Kind) -> None:
    def ink(colour: Colour, pattern: Pattern) -> np.ndarray:
        return colour_stamp(kind, colour, pattern, Size.LARGE).ink.astype(int)

    covered = silhouette(kind, Size.LARGE)
    red = ink(Colour.RED, Pattern.PLAIN)
    recoloured = np.abs(red - ink(Colour.BLUE, Pattern.PLAIN)).sum(axis=2) > 60
    assert recoloured[covered].mean() > 0.25
    for pattern in PATTERNS[1:]:
        assert (np.abs(red - ink(Colour.RED, pattern)).sum(axis=2) > 60).sum() >= 12


def test_a_picture_differs_from_its_landscape_only_inside_the_boxes() -> None:
    scene = scene_with(stand(CAT, (1, 1), MAIN))
    different = (render(scene) != empty_picture(BEACH, MAIN)).any(axis=2)
    outside = different.copy()
    outside[scene.things[0].box] = False
    assert different.any()
    assert not outside.any()


@pytest.mark.parametrize("kind", MapKind)
@pytest.mark.parametrize("canvas", CANVASES, ids=str)
def test_every_map_is_a_picture_of_the_scenes_size(kind: MapKind, canvas: Canvas) -> None:
    scene = scene_with(stand(CAT, (1, 1), canvas), canvas=canvas)
    assert render_map(scene, kind).shape == (*canvas.pixels, 3)
    assert label_cells(scene, kind).shape == (canvas.rows, canvas.columns)


def test_maps_show_the_nearest_thing() -> None:
    far = stand(CAT, (1, 1), MAIN)
    near = Thing(replace(CAT, kind=Kind.DOG), far.row + 1, far.column + 2)
    scene = scene_with(near, far)
    assert scene.things == (far, near)
    assert holds(Relation.IN_FRONT_OF, near, far)
    assert holds(Relation.BEHIND, far, near)
    shown = silhouette(Kind.DOG, Size.LARGE)
    assert (owner_map(scene)[near.box][shown] == 1).all()
    assert (depth_map(scene)[near.box][shown] > depth_map(scene)[far.box].min()).all()
    assert (render_map(scene, MapKind.SEGMENTATION)[near.box][shown] == SEGMENTATION[Kind.DOG]).all()
    assert edge_map(scene).any()


def test_only_animals_have_a_pose() -> None:
    scene = scene_with(stand(replace(CAT, kind=Kind.HOUSE), (0, 0), MAIN), stand(CAT, (2, 2), MAIN))
    assert [item.kind for item in shown_in(scene, MapKind.POSE)] == [Kind.CAT]
    pose = render_map(scene, MapKind.POSE)
    assert not pose[scene.things[0].box].any()
    assert pose[scene.things[1].box].any()


def test_every_slot_lies_inside_and_has_one_name() -> None:
    for canvas, size in product(CANVASES, SIZES):
        names = set()
        for slot in slots_of(canvas):
            item = stand(replace(CAT, size=size), slot, canvas)
            assert 0 <= item.row
            assert item.foot <= canvas.rows
            assert 0 <= item.column
            assert item.end <= canvas.columns
            assert item.slot(canvas) == slot
            names.add(place_of(item, canvas))
        assert len(names) == len(slots_of(canvas))
        assert None not in names


def test_smaller_pictures_show_the_upper_left_part_of_larger_ones() -> None:
    things = [stand(CAT, (1, 0), MAIN)]
    whole = render(scene_with(*things))
    for canvas in (LITTLE, TALL):
        height, width = canvas.pixels
        assert np.array_equal(render(scene_with(*things, canvas=canvas)), whole[:height, :width])


def test_no_two_codes_have_the_same_meaning_and_all_are_used_for_one_look() -> None:
    assert len(set(alphabet())) == len(alphabet())
    pixels: dict[int, bytes] = {}
    for setting in settings():
        grid = label_cells(Scene(setting, ()))
        picture = paint_landscape(setting.scenery, setting.time, setting.weather)
        for row, column in product(range(12), repeat=2):
            cell = picture[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8].tobytes()
            assert pixels.setdefault(int(grid[row, column]), cell) == cell
    assert len(pixels) == sum(isinstance(meaning, Ground) for meaning in alphabet())


def test_the_codes_are_those_that_models_were_trained_with() -> None:
    grids = np.stack([label_cells(Scene(setting, ())) for setting in settings()])
    names = repr([tuple(meaning) for meaning in alphabet() if not isinstance(meaning, Ground)])
    digest = hashlib.sha256(grids.astype("<i8").tobytes() + names.encode()).hexdigest()[:16]
    assert digest == CODES_FINGERPRINT


@pytest.mark.parametrize("shown", [None, *MapKind])
def test_another_paint_changes_no_shape_and_another_kind_no_paint(shown: MapKind | None) -> None:
    def codes(look: Look) -> np.ndarray:
        return label_cells(scene_with(stand(look, (1, 1), MAIN)), shown)

    plain = codes(CAT)
    repainted = codes(replace(CAT, colour=Colour.BLUE, pattern=Pattern.DOTTED))
    other = codes(replace(CAT, kind=Kind.OWL))
    for code in plain[plain != repainted]:
        assert isinstance(alphabet()[code], Paint)
    assert (plain != repainted).sum() == (8 if shown is None else 0)
    for code in plain[plain != other]:
        assert isinstance(alphabet()[code], Shape)
    assert (plain != other).sum() == 8


def test_a_map_keeps_the_shapes_of_its_picture() -> None:
    scene = scene_with(stand(CAT, (1, 1), MAIN), setting=Setting(Scenery.CITY, Time.NIGHT, Weather.RAIN))
    picture = label_cells(scene)
    is_shape = np.vectorize(lambda code: isinstance(alphabet()[code], Shape))(picture)
    for kind in MapKind:
        assert np.array_equal(label_cells(scene, kind)[is_shape], picture[is_shape])
