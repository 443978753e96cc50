"""Building blocks of encoder and decoder; attribute names are those of the public weights.

Every block consumes the bands of a feature map and returns new ones. `*condition` is empty in the encoder; in
the decoder it is the quantised latents, which the norms use.
"""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from services.tokenizer.movqgan.norms import GroupNorm, SpatialNorm
from services.tokenizer.movqgan.row_bands import Bands, convolve, drain, join_rows, split_rows

QUERY_CHUNK = 1024
"""Queries in one attention call. It limits the score matrix (64 MiB for 16,384 keys) on devices whose
attention kernel needs one."""


def conv3x3(channels_in: int, channels_out: int) -> nn.Conv2d:
    """A 3x3 convolution that keeps height and width."""
    return nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1)


def make_norm(channels: int, groups: int, condition_channels: int | None) -> GroupNorm | SpatialNorm:
    """The norm of the decoder if there are condition channels, else that of the encoder."""
    if condition_channels is None:
        return GroupNorm(channels, groups)
    return SpatialNorm(channels, condition_channels, groups)


class ResnetBlock(nn.Module):
    """Two convolutions with norms, added to a shortcut: a 1x1 convolution if the channels change."""

    def __init__(
        self, channels_in: int, channels_out: int, *, groups: int, dropout: float, condition: int | None
    ) -> None:
        super().__init__()
        self.norm1 = make_norm(channels_in, groups, condition)
        self.conv1 = conv3x3(channels_in, channels_out)
        self.norm2 = make_norm(channels_out, groups, condition)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = conv3x3(channels_out, channels_out)
        if channels_in != channels_out:
            self.nin_shortcut = nn.Conv2d(channels_in, channels_out, kernel_size=1)
        self._changes_width = channels_in != channels_out

    def forward(self, bands: Bands, *condition: Tensor) -> Bands:
        """bands: channels_in channels. Returns channels_out channels of the same height and width."""
        normalise = self.norm1.fit(bands, *condition)
        hidden: Bands = []
        shortcut: Bands = []
        for rows in drain(bands):
            hidden.append(convolve(self.conv1, F.silu(normalise(rows)), rows))
            shortcut.append(self.nin_shortcut(rows.core) if self._changes_width else rows.core)
        normalise = self.norm2.fit(hidden, *condition)
        return [
            shortcut.pop(0) + convolve(self.conv2, self.dropout(F.silu(normalise(rows))), rows)
            for rows in drain(hidden)
        ]


class AttnBlock(nn.Module):
    """Self-attention with one head over all positions of the feature map."""

    def __init__(self, channels: int, *, groups: int, condition: int | None) -> None:
        super().__init__()
        self.norm = make_norm(channels, groups, condition)
        self.q = nn.Conv2d(channels, channels, kernel_size=1)
        self.k = nn.Conv2d(channels, channels, kernel_size=1)
        self.v = nn.Conv2d(channels, channels, kernel_size=1)
        self.proj_out = nn.Conv2d(channels, channels, kernel_size=1)

    def forward(self, bands: Bands, *condition: Tensor) -> Bands:
        """Joins the bands, because every position attends to all others."""
        features = join_rows(bands)
        (rows,) = drain([features])
        normed = self.norm.fit([features], *condition)(rows)
        query, key, value = (_places(conv(normed)) for conv in (self.q, self.k, self.v))
        seen = [
            F.scaled_dot_product_attention(chunk, key, value) for chunk in query.split(QUERY_CHUNK, dim=2)
        ]
        attended = torch.cat(seen, dim=2).transpose(2, 3).reshape(features.shape)
        return split_rows(features + self.proj_out(attended))


def _places(features: Tensor) -> Tensor:
    """[batch, channels, height, width] to [batch, 1 head, height * width, channels]."""
    return features.flatten(2).transpose(1, 2).unsqueeze(1).contiguous()


class Downsample(nn.Module):
    """Halve height and width, padded by one column on the right and one row below, as in the public model."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel_size=3, stride=2)

    def forward(self, bands: Bands) -> Bands:
        """Bands have an even number of rows, so that each starts on a row that the stride of 2 uses."""
        halved = [
            self.conv(F.pad(rows.data[:, :, rows.above :], (0, 1, 0, 1 - rows.below)))
            for rows in drain(bands)
        ]
        return split_rows(join_rows(halved))


class Upsample(nn.Module):
    """Double height and width by repeating pixels, then smooth with a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv3x3(channels, channels)

    def forward(self, bands: Bands) -> Bands:
        """Splits the map into smaller bands first, because each pixel becomes four."""
        doubled: Bands = []
        for rows in drain(split_rows(join_rows(bands), growth=4)):
            large = F.interpolate(rows.data, scale_factor=2.0, mode="nearest")
            # a neighbour row became two rows; the convolution needs the nearer one
            near = large[:, :, rows.above : large.shape[2] - rows.below]
            doubled.append(convolve(self.conv, near, rows))
        return doubled


class Level(nn.Module):
    """The residual blocks of one resolution, each followed by attention if the level has it."""

    def __init__(self, blocks: list[ResnetBlock], attention: list[AttnBlock]) -> None:
        super().__init__()
        self.block = nn.ModuleList(blocks)
        self.attn = nn.ModuleList(attention)

    def run_blocks(self, bands: Bands, *condition: Tensor) -> Bands:
        """Run the level without the step to the next resolution."""
        for index, block in enumerate(self.block):
            bands = cast("Bands", block(bands, *condition))
            if self.attn:
                bands = cast("Bands", self.attn[index](bands, *condition))
        return bands


class Middle(nn.Module):
    """Two residual blocks on the token grid, with attention between them if it is enabled."""

    def __init__(self, block_1: ResnetBlock, attn_1: AttnBlock | None, block_2: ResnetBlock) -> None:
        super().__init__()
        self.block_1 = block_1
        self.attn_1 = attn_1
        self.block_2 = block_2

    def forward(self, bands: Bands, *condition: Tensor) -> Bands:
        """Keeps channels, height and width."""
        bands = self.block_1(bands, *condition)
        if self.attn_1 is not None:
            bands = self.attn_1(bands, *condition)
        return self.block_2(bands, *condition)
