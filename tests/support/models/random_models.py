"""Write model folders with random weights from a fixed seed, small enough for each test session."""

import json
from dataclasses import replace
from pathlib import Path

import torch

from services.tokenizer.movqgan import MoVQGAN, MoVQGANConfig, save_movqgan
from tests.support.models.checkpoint_files import write_checkpoint

CODES = 256
"""Number of image codes in the golden vocabulary."""
LONGEST_SEQUENCE = 8192
DEFAULT_SIZE = "64x64"

TINY_MOVQGAN = MoVQGANConfig(
    ch=8,
    ch_mult=(1, 1, 2, 2),
    num_res_blocks=1,
    attn_resolutions=(32,),
    n_embed=CODES,
    embed_dim=4,
    z_channels=4,
    norm_groups=4,
)


SLOW_MOVQGAN = replace(TINY_MOVQGAN, ch=192)
"""A model that needs about four seconds for 128x128 pixels on one core."""


def write_movqgan(folder: Path, config: MoVQGANConfig = TINY_MOVQGAN) -> Path:
    """Write an image tokenizer that uses many codes of its codebook."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MoVQGAN(config).eval()
        torch.nn.init.normal_(model.quantize.embedding.weight)
    save_movqgan(model, folder)
    return folder


def write_decoder(folder: Path) -> Path:
    """Write a decoder with a default size of 64x64 pixels that allows any size."""
    write_checkpoint(folder, max_position_embeddings=LONGEST_SEQUENCE)
    settings = {"image_size": DEFAULT_SIZE, "image_sizes": "any"}
    (folder / "generation_config.json").write_text(json.dumps(settings))
    return folder
