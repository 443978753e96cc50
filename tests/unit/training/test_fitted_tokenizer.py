"""The fitted tokenizer: a code depends on its own cell alone, and the codebook covers what there is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from services.tokenizer.movqgan import MoVQGAN, load_movqgan
from training.movqgan import tiny_config
from training.tokenizer.fitting import fit_tokenizer
from training.tokenizer.kmeans import kmeans, nearest
from training.tokenizer.measures import measure
from training.tokenizer.pictures import distinct_cells, label_cells, sample_pictures, to_pixels

SEED, STEP = 5, 3


@pytest.fixture(scope="module")
def model(smoke_run: Path) -> MoVQGAN:
    return load_movqgan(smoke_run / "movqgan/fitted")


def codes(model: MoVQGAN, pictures: np.ndarray) -> np.ndarray:
    return model.encode(to_pixels(pictures)).numpy()


def test_equal_cells_have_equal_codes_wherever_they_stand(model: MoVQGAN) -> None:
    pictures = sample_pictures(30, SEED, STEP, cells=8)
    looks, _ = label_cells(pictures)
    pairs = {(int(look), int(code)) for look, code in zip(looks, codes(model, pictures).flat, strict=True)}
    assert len(pairs) == len(looks.unique())


def test_changing_a_cell_changes_no_other_code(model: MoVQGAN) -> None:
    picture = sample_pictures(1, SEED, STEP, cells=8)
    changed = picture.copy()
    changed[:, 24:32, 40:48] = np.random.default_rng(1).integers(0, 256, (8, 8, 3))
    before, after = codes(model, picture), codes(model, changed)
    before[:, 3, 5] = after[:, 3, 5]
    assert np.array_equal(before, after)


def test_its_codes_have_no_noise(model: MoVQGAN) -> None:
    figures = measure(model, sample_pictures(40, SEED, STEP, cells=8))
    assert figures.noise_nats == pytest.approx(0, abs=1e-9)
    assert figures.code_nats > 1


def test_more_codes_come_closer(tmp_path: Path) -> None:
    pictures = to_pixels(sample_pictures(20, SEED, STEP, cells=8))
    errors: list[float] = []
    for count in (16, 128):
        torch.manual_seed(0)
        model = MoVQGAN(tiny_config(codes=count))
        fit_tokenizer(model, pictures=60, seed=1, cells=8)
        with torch.no_grad():
            latents = model.encode_latents(pictures)
            grid = model.quantize.nearest_codes(latents)
            errors.append(float((model.quantize.vectors_of(grid) - latents).square().mean()))
    assert errors[1] < 0.8 * errors[0], errors


def test_attention_leaves_no_room_for_a_code_of_one_cell() -> None:
    with pytest.raises(ValueError, match="without attention"):
        fit_tokenizer(
            MoVQGAN(replace(tiny_config(codes=16), mid_attention=True)), pictures=4, seed=1, cells=8
        )


def test_pictures_depend_on_seed_and_step_alone() -> None:
    one, another = (sample_pictures(6, SEED, STEP, cells=8) for _ in range(2))
    assert np.array_equal(one, another)
    assert not np.array_equal(one, sample_pictures(6, SEED, STEP + 1, cells=8))


def test_every_look_is_counted_once() -> None:
    pictures = sample_pictures(10, SEED, STEP, cells=8)
    looks = distinct_cells(pictures)
    assert looks.counts.sum() == 10 * 64
    assert len({pixels.numpy().tobytes() for pixels in looks.pixels}) == len(looks.counts)


def test_kmeans_moves_centres_that_nothing_is_near_to() -> None:
    places = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    points = places.repeat_interleave(torch.tensor([200, 2, 2, 2]), 0)
    weights = torch.ones(len(points))
    weights[-2:] = 5
    found = kmeans(points, weights, 4, rounds=20, seed=1)
    assert torch.equal(found[:2], places[[0, 3]])
    assert {tuple(centre) for centre in found.tolist()} == {tuple(place) for place in places.tolist()}


def test_kmeans_ends_at_the_weighted_means_heaviest_first() -> None:
    generator = torch.Generator().manual_seed(1)
    points, weights = torch.randn(400, 3, generator=generator), torch.rand(400, generator=generator)
    found = kmeans(points, weights, 8, rounds=60, seed=1)
    labels, _ = nearest(points, found)
    masses = [weights[labels == label].sum().item() for label in range(8)]
    assert masses == sorted(masses, reverse=True)
    for label in range(8):
        shares = weights[labels == label, None]
        mean = (points[labels == label] * shares).sum(0) / shares.sum()
        assert torch.allclose(mean, found[label], atol=1e-5)
