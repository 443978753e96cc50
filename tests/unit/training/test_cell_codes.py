"""The codes of the scene world, and how the image tokenizer learns them."""

import numpy as np
import torch

from shared.tasks import MapKind
from training.scenes import TrainingExample, sample_example
from training.scenes.cell_codes import Paint, Shape, alphabet, label_cells, says_shape
from training.scenes.scene import Scene, SceneObject
from training.scenes.world import COLOURS, KINDS, SIZES, Background, Colour, Kind, Size
from training.tokenizer.codebook import first_codebook
from training.tokenizer.losses import code_loss
from training.tokenizer.pictures import sample_pictures


def scene(kind: Kind, colour: Colour, size: Size) -> Scene:
    return Scene.of(Background.BEACH, [SceneObject(kind, colour, size, 2, 3)])


def test_no_two_codes_have_the_same_meaning() -> None:
    assert len(set(alphabet())) == len(alphabet())


def test_another_colour_changes_only_the_paint_codes() -> None:
    for kind, size in ((kind, size) for kind in KINDS for size in SIZES):
        one, another = (label_cells(scene(kind, colour, size)) for colour in COLOURS[:2])
        for row, column in np.argwhere(one != another):
            assert isinstance(alphabet()[one[row, column]], Paint)
        assert (one != another).sum() == sum(
            not says_shape(row, column) for row in range(size.cells) for column in range(size.cells)
        )


def test_another_kind_changes_only_the_shape_codes() -> None:
    for shown in (None, MapKind.DEPTH):
        one, another = (label_cells(scene(kind, COLOURS[0], Size.LARGE), shown) for kind in KINDS[:2])
        for row, column in np.argwhere(one != another):
            assert isinstance(alphabet()[one[row, column]], Shape)


def test_held_out_pictures_use_only_codes_that_training_shows() -> None:
    rng = np.random.default_rng(1)
    shown = {int(code) for _ in range(6000) for code in _codes(sample_example(rng, split="train"))}
    asked = {int(code) for _ in range(100) for code in _codes(sample_example(rng, split="held_out"))}
    assert asked <= shown


def test_codes_with_related_meanings_start_with_similar_vectors() -> None:
    vectors = first_codebook(32, seed=1)
    codes = {meaning: code for code, meaning in enumerate(alphabet())}
    ball = codes[Shape("photo", Kind.BALL, Size.LARGE, 1, 1)]
    other_cell = codes[Shape("photo", Kind.BALL, Size.LARGE, 0, 0)]
    other_thing = codes[Paint("photo", Colour.RED)]
    assert torch.dist(vectors[ball], vectors[other_cell]) < torch.dist(vectors[ball], vectors[other_thing])


def test_a_latent_nearer_to_its_code_has_a_smaller_loss() -> None:
    codebook = first_codebook(32, seed=1)
    codes = torch.tensor([[[5, 9]]])
    exact = codebook[codes].permute(0, 3, 1, 2)
    assert code_loss(exact, codebook, codes) < code_loss(exact * 0.5, codebook, codes)


def test_pictures_depend_only_on_seed_and_step() -> None:
    one, another = (sample_pictures(6, 5, 3, cells=8) for _ in range(2))
    assert np.array_equal(one.pictures, another.pictures)
    assert np.array_equal(one.codes, another.codes)
    assert not np.array_equal(one.pictures, sample_pictures(6, 5, 4, cells=8).pictures)


def _codes(example: TrainingExample) -> np.ndarray:
    return np.concatenate([panel.ravel() for panel in example.panel_codes])
