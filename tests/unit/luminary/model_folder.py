"""A model folder as `luminary generate` reads it: a random decoder and a random image tokenizer."""

from pathlib import Path

import torch

from services.tokenizer.movqgan import MoVQGAN, MoVQGANConfig
from services.tokenizer.movqgan.weights import save_movqgan
from tests.unit.engine.checkpoint_files import write_checkpoint

IMAGE_CODES = 256
"""As many as the golden tokenizer names."""


def write_model(folder: Path, *, image_codes: int = IMAGE_CODES) -> Path:
    """Write both models into `folder` and hand it back."""
    write_checkpoint(folder, seed=1)
    write_image_tokenizer(folder / "movqgan", image_codes)
    return folder


def write_image_tokenizer(folder: Path, codes: int) -> None:
    """The smallest MoVQGAN with tokens of 8 pixels."""
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
