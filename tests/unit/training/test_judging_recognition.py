"""Recognition finds all objects of a picture, and no others."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import Generator

from training.judging.recognition import recognise
from training.scenes.filters import blur
from training.scenes.layout import draw_scene
from training.scenes.rendering import Picture, render
from training.scenes.scene import Scene, SceneObject
from training.scenes.world import (
    CELL,
    COLOURS,
    KINDS,
    SCENERIES,
    SIZES,
    Background,
    Colour,
    Kind,
    Place,
    Size,
)

pytestmark = pytest.mark.slow


def degraded(picture: Picture, rng: Generator, *, sigma: float, noise_db: float) -> Picture:
    """The picture, blurred, with Gaussian noise at `noise_db` below white."""
    noisy = blur(picture, sigma) + rng.normal(0, 255 * 10 ** (-noise_db / 20), picture.shape)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def recognition_rate(rng: Generator, scenes: list[Scene], *, sigma: float, noise_db: float) -> float:
    pictures = [degraded(render(scene), rng, sigma=sigma, noise_db=noise_db) for scene in scenes]
    hits = [recognise(picture) == scene for picture, scene in zip(pictures, scenes, strict=True)]
    return sum(hits) / len(hits)


@pytest.mark.parametrize("cells", [8, 12])
def test_true_pictures_are_recognised_without_an_error(cells: int) -> None:
    rng = np.random.default_rng(21)
    for _ in range(60):
        scene = draw_scene(rng, "held_out", cells=cells)
        assert recognise(render(scene)) == scene


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_and_colour_is_recognised_on_every_background(kind: Kind) -> None:
    for index, colour in enumerate(COLOURS):
        item = SceneObject(kind, colour, SIZES[index % 2], 0, 0).at(Place.BOTTOM, 8)
        for background in SCENERIES:
            scene = Scene.of(background, [item])
            assert recognise(render(scene)) == scene


def test_recognition_tolerates_the_blur_and_noise_of_an_image_tokenizer() -> None:
    rng = np.random.default_rng(22)
    scenes = [draw_scene(rng, "train") for _ in range(100)]
    assert recognition_rate(rng, scenes, sigma=0.7, noise_db=30) >= 0.99
    assert recognition_rate(rng, scenes, sigma=1.0, noise_db=30) >= 0.95


@pytest.mark.parametrize("background", SCENERIES)
def test_no_object_is_recognised_on_an_empty_background(background: Background) -> None:
    empty = Scene.of(background, [])
    assert recognise(degraded(render(empty), np.random.default_rng(3), sigma=0.7, noise_db=30)) == empty


def test_no_object_is_recognised_in_pure_noise() -> None:
    noise = np.random.default_rng(4).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert recognise(noise).objects == ()


def test_half_an_object_is_not_recognised() -> None:
    house = SceneObject(Kind.HOUSE, Colour.RED, Size.SMALL, 6, 3)
    scene = Scene.of(Background.MEADOW, [house])
    picture = render(scene)
    rows, columns = house.box
    right_half = slice(columns.start + CELL, columns.stop)
    picture[rows, right_half] = render(Scene.of(Background.MEADOW, []))[rows, right_half]
    assert recognise(picture).objects == ()


def test_of_two_overlapping_objects_the_nearer_one_is_recognised_as_nearer() -> None:
    back = SceneObject(Kind.MUG, Colour.WHITE, Size.LARGE, 2, 2)
    front = SceneObject(Kind.STAR, Colour.BLUE, Size.LARGE, 3, 4)
    assert recognise(render(Scene.of(Background.BEACH, [front, back]))).objects == (back, front)


def test_equal_objects_are_recognised_separately() -> None:
    left = SceneObject(Kind.STAR, Colour.PINK, Size.SMALL, 0, 0)
    scene = Scene.of(Background.NIGHT, [left, replace(left, column=3), replace(left, row=6)])
    assert recognise(render(scene)) == scene
