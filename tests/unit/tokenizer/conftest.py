"""A MoVQGAN with every kind of layer, small enough to build for each test."""

import pytest
import torch

from services.tokenizer.movqgan import MoVQGAN, MoVQGANConfig

SMALL = MoVQGANConfig(
    ch=8,
    ch_mult=(1, 1, 2, 2),
    num_res_blocks=1,
    attn_resolutions=(32,),
    n_embed=64,
    embed_dim=4,
    z_channels=4,
    norm_groups=4,
)


@pytest.fixture
def small_model() -> MoVQGAN:
    """A model with fixed random weights; its codebook has as many dimensions as its latents."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MoVQGAN(SMALL).eval()
        torch.nn.init.normal_(model.quantize.embedding.weight)
    return model
