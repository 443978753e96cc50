"""Feature maps as a few bands of rows, so that a large picture never exists twice in memory.

At 1024x1024 one feature map of the 270M model takes 2 GiB. A convolution looks one row beyond its
own, and a norm needs two numbers from the whole picture, so both run band by band with the same
result as in one piece; only the order of some sums differs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Bands = list[Tensor]
"""Bands of one picture batch from top to bottom, each [batch, channels, rows, width]."""

BAND_ELEMENTS = 1 << 23
"""Numbers in a band (32 MiB in fp32): several live at once inside a block, each with a copy in the
convolution's own memory layout. Smaller bands pay more often for reordering the weights."""


def split_rows(features: Tensor, *, growth: int = 1) -> Bands:
    """Cut [batch, channels, height, width] so that no band outgrows BAND_ELEMENTS.

    growth: how many numbers the next step makes from each one of `features`.
    Bands have an even number of rows, which halving the resolution needs. With gradients recorded
    there is one band: the backward pass keeps every activation anyway.
    """
    if torch.is_grad_enabled():
        return [features]
    batch, channels, height, width = features.shape
    rows = BAND_ELEMENTS // (batch * channels * width * growth) // 2 * 2
    return list(features.split(min(max(rows, 2), height), dim=2))


def join_rows(bands: Bands) -> Tensor:
    """The whole feature map again; takes the bands out of the list."""
    features = bands[0] if len(bands) == 1 else torch.cat(bands, dim=2)
    bands.clear()
    return features


@dataclass(frozen=True)
class Rows:
    """One band with the neighbour rows that a 3x3 convolution looks at.

    data: [batch, channels, above + rows + below, width].
    first: the picture's row that `data` starts with.
    above, below: 1 where a neighbour row is included, 0 at the picture's edge.
    """

    data: Tensor
    first: int
    above: int
    below: int

    @property
    def core(self) -> Tensor:
        """The band alone: [batch, channels, rows, width]."""
        return self.data[:, :, self.above : self.data.shape[2] - self.below]


def drain(bands: Bands) -> Iterator[Rows]:
    """Hand out each band with its neighbour rows, forgetting what no later band needs."""
    first = 0
    above: Tensor | None = None
    while bands:
        band = bands.pop(0)
        below = bands[0][:, :, :1] if bands else None
        parts = [part for part in (above, band, below) if part is not None]
        data = band if len(parts) == 1 else torch.cat(parts, dim=2)
        halo = 0 if above is None else 1
        yield Rows(data, first - halo, halo, 0 if below is None else 1)
        first += band.shape[2]
        # a copy, for a view would keep the complete band alive
        above = band[:, :, -1:].clone() if bands else None


def convolve(conv: nn.Conv2d, features: Tensor, rows: Rows) -> Tensor:
    """Apply a 3x3 convolution with padding 1 to features that were made from `rows.data`.

    Returns [batch, out_channels, rows, width], without the neighbour rows.
    """
    if not rows.above and not rows.below:
        return conv(features)
    padded = F.pad(features, (0, 0, 1 - rows.above, 1 - rows.below))
    return F.conv2d(padded, conv.weight, conv.bias, padding=(0, 1))
