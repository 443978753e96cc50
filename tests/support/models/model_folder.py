"""Write a model folder for `luminary generate`: a random decoder and a random image tokenizer."""

import json
from pathlib import Path

import torch

from services.tokenizer.movqgan import MoVQGAN, MoVQGANConfig
from services.tokenizer.movqgan.weights import save_movqgan
from tests.support.models.checkpoint_files import write_checkpoint

IMAGE_CODES = 256
"""Number of image codes in the golden vocabulary."""


def write_model(folder: Path, *, image_codes: int = IMAGE_CODES) -> Path:
    """Write both models into `folder` and return it."""
    write_checkpoint(folder, seed=1)
    settings = json.loads((folder / "generation_config.json").read_text())
    (folder / "generation_config.json").write_text(json.dumps(settings | {"image_sizes": "any"}))
    write_image_tokenizer(folder / "movqgan", image_codes)
    return folder


def write_image_tokenizer(folder: Path, codes: int) -> None:
    """Write a very small MoVQGAN with cells of 8x8 pixels."""
    config = MoVQGANConfig(
        ch=32,
        ch_mult=(1, 1, 1, 1),
        num_res_blocks=1,
        attn_resolutions=(),
        n_embed=codes,
        embed_dim=4,
        z_channels=4,
    )
    with torch.random.fork_rng():
        torch.manual_seed(2)
        save_movqgan(MoVQGAN(config), folder)
