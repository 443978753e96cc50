"""Model folders with random weights, the same every time: small enough to write for each test session."""

from pathlib import Path

import torch

from services.tokenizer.movqgan import MoVQGAN, MoVQGANConfig, save_movqgan
from tests.unit.engine.checkpoint_files import write_checkpoint

CODES = 256
"""As many as the golden tokenizer has names for."""
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


def write_movqgan(folder: Path) -> Path:
    """An image tokenizer whose codes spread over its codebook."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = MoVQGAN(TINY_MOVQGAN).eval()
        torch.nn.init.normal_(model.quantize.embedding.weight)
    save_movqgan(model, folder)
    return folder


def write_decoder(folder: Path) -> Path:
    """A decoder whose pictures have 64x64 pixels unless another size is asked for."""
    write_checkpoint(folder, max_position_embeddings=LONGEST_SEQUENCE)
    (folder / "generation_config.json").write_text(f'{{"image_size": "{DEFAULT_SIZE}"}}')
    return folder
