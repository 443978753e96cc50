"""The decoder: quantised latents to pixels, with norms that depend on the latents at every resolution.

Source: Zheng et al. 2022 (MoVQ), arXiv 2209.09002, section 3.2.
"""

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from services.tokenizer.movqgan.blocks import AttnBlock, Level, Middle, ResnetBlock, Upsample, conv3x3
from services.tokenizer.movqgan.config import MoVQGANConfig
from services.tokenizer.movqgan.norms import SpatialNorm
from services.tokenizer.movqgan.row_bands import convolve, drain, join_rows, split_rows


class DecoderLevel(Level):
    """A level, and the upsampling to the next finer one; level 0 has none."""

    upsample: Upsample | None

    def __init__(
        self, blocks: list[ResnetBlock], attention: list[AttnBlock], upsample: Upsample | None
    ) -> None:
        super().__init__(blocks, attention)
        self.upsample = upsample


class Decoder(nn.Module):
    """The middle blocks on the token grid, then levels of increasing resolution; `up[0]` runs last."""

    def __init__(self, config: MoVQGANConfig) -> None:
        super().__init__()
        widths = config.level_widths
        width = widths[-1]
        self.conv_in = conv3x3(config.z_channels, width)
        self.mid = Middle(
            _block(config, width, width),
            _attention(config, width) if config.mid_attention else None,
            _block(config, width, width),
        )
        levels: list[DecoderLevel] = []
        for level in reversed(range(len(widths))):
            blocks: list[ResnetBlock] = []
            for _ in range(config.num_res_blocks + 1):
                blocks.append(_block(config, width, widths[level]))
                width = widths[level]
            attention = [_attention(config, width) for _ in blocks if config.attention_levels[level]]
            levels.append(DecoderLevel(blocks, attention, Upsample(width) if level else None))
        self.up = nn.ModuleList(reversed(levels))
        self.norm_out = SpatialNorm(width, config.embed_dim, config.norm_groups)
        self.conv_out = conv3x3(width, config.out_ch)

    def forward(self, latents: Tensor, condition: Tensor) -> Tensor:
        """latents: [batch, z_channels, height, width] of the token grid.

        condition: [batch, embed_dim, height, width], the codebook vectors.
        Returns pixels [batch, out_ch, height * downsampling, width * downsampling], about in [-1, 1].
        """
        bands = self.mid(split_rows(self.conv_in(latents)), condition)
        for module in reversed(self.up):
            level = cast("DecoderLevel", module)
            bands = level.run_blocks(bands, condition)
            if level.upsample is not None:
                bands = level.upsample(bands)
        normalise = self.norm_out.fit(bands, condition)
        return join_rows([convolve(self.conv_out, F.silu(normalise(rows)), rows) for rows in drain(bands)])


def _block(config: MoVQGANConfig, width_in: int, width_out: int) -> ResnetBlock:
    return ResnetBlock(
        width_in, width_out, groups=config.norm_groups, dropout=config.dropout, condition=config.embed_dim
    )


def _attention(config: MoVQGANConfig, width: int) -> AttnBlock:
    return AttnBlock(width, groups=config.norm_groups, condition=config.embed_dim)
