"""The encoder: pixels to latents on the token grid."""

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from services.tokenizer.movqgan.blocks import AttnBlock, Downsample, Level, Middle, ResnetBlock, conv3x3
from services.tokenizer.movqgan.config import MoVQGANConfig
from services.tokenizer.movqgan.norms import GroupNorm
from services.tokenizer.movqgan.row_bands import convolve, drain, join_rows, split_rows


class EncoderLevel(Level):
    """A level, and the downsampling to the next coarser one; the last level has none."""

    downsample: Downsample | None

    def __init__(
        self, blocks: list[ResnetBlock], attention: list[AttnBlock], downsample: Downsample | None
    ) -> None:
        super().__init__(blocks, attention)
        self.downsample = downsample


class Encoder(nn.Module):
    """Levels of decreasing resolution and increasing channels, then the middle blocks on the token grid."""

    def __init__(self, config: MoVQGANConfig) -> None:
        super().__init__()
        widths = config.level_widths
        width = widths[0]
        self.conv_in = conv3x3(config.in_channels, width)
        self.down = nn.ModuleList()
        for level, level_width in enumerate(widths):
            blocks: list[ResnetBlock] = []
            for _ in range(config.num_res_blocks):
                blocks.append(_block(config, width, level_width))
                width = level_width
            attention = [_attention(config, width) for _ in blocks if config.attention_levels[level]]
            downsample = Downsample(width) if level + 1 < len(widths) else None
            self.down.append(EncoderLevel(blocks, attention, downsample))
        self.mid = Middle(
            _block(config, width, width),
            _attention(config, width) if config.mid_attention else None,
            _block(config, width, width),
        )
        self.norm_out = GroupNorm(width, config.norm_groups)
        self.conv_out = conv3x3(width, config.z_channels)

    def forward(self, pixels: Tensor) -> Tensor:
        """pixels: [batch, in_channels, height, width] in [-1, 1].

        Returns [batch, z_channels, height / downsampling, width / downsampling].
        """
        growth = -(-self.conv_in.out_channels // self.conv_in.in_channels)
        bands = [convolve(self.conv_in, rows.data, rows) for rows in drain(split_rows(pixels, growth=growth))]
        for module in self.down:
            level = cast("EncoderLevel", module)
            bands = level.run_blocks(bands)
            if level.downsample is not None:
                bands = level.downsample(bands)
        bands = self.mid(bands)
        normalise = self.norm_out.fit(bands)
        return join_rows([convolve(self.conv_out, F.silu(normalise(rows)), rows) for rows in drain(bands)])


def _block(config: MoVQGANConfig, width_in: int, width_out: int) -> ResnetBlock:
    return ResnetBlock(width_in, width_out, groups=config.norm_groups, dropout=config.dropout, condition=None)


def _attention(config: MoVQGANConfig, width: int) -> AttnBlock:
    return AttnBlock(width, groups=config.norm_groups, condition=None)
