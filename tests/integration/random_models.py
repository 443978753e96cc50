"""Model folders with random weights, the same every time: small enough to write for each test session."""

from pathlib import Path

import torch

from services.tokenizer.movqgan import MoVQGAN, MoVQGANConfig, save_movqgan

CODES = 64

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
