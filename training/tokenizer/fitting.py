"""Encoder and codebook in one go: components of the cells' looks, and clusters of those."""

import torch

from services.tokenizer.movqgan import MoVQGAN
from training.tokenizer.kmeans import kmeans
from training.tokenizer.linear_encoder import fit_encoder
from training.tokenizer.pictures import distinct_cells, sample_pictures

ROUNDS = 40


def fit_tokenizer(model: MoVQGAN, *, pictures: int, seed: int, cells: int) -> int:
    """Write encoder and codebook; returns how many different looks of a cell there were.

    A look counts by the square root of how often it was seen: by numbers alone empty ground would take
    most codes, and with every look alike the rare ones would.
    Raises ValueError for a configuration that leaves no room for the components.
    """
    looks = distinct_cells(sample_pictures(pictures, seed, 0, cells=cells))
    weights = looks.counts.sqrt()
    latents = fit_encoder(model, looks.pixels, weights)
    centres = kmeans(latents, weights, model.config.n_embed, rounds=ROUNDS, seed=seed)
    with torch.no_grad():
        # with fewer looks than codes the last codes lie out of reach
        codebook = model.quantize.embedding.weight
        codebook[: len(centres)] = centres
        codebook[len(centres) :] = centres[0] + 1e3
    return len(looks.counts)
