"""Process feature maps in bands of rows, so that a large feature map is never in memory twice.

At 1024x1024 one feature map of the 270M model takes 2 GiB. A convolution needs one neighbour row on each
side, and a norm two numbers from the whole picture, so both can run band by band. The result is the same as
in one piece; only the order of some sums differs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Bands = list[Tensor]
"""Bands of a batch of feature maps from top to bottom, each [batch, channels, rows, width]."""

BAND_ELEMENTS = 1 << 23
"""Largest band, in numbers (32 MiB in fp32). A block has several bands in memory, each with a copy in the
convolution's memory layout. With smaller bands the weights would be reordered more often."""


def split_rows(features: Tensor, *, growth: int = 1) -> Bands:
    """Split [batch, channels, height, width] into bands of at most BAND_ELEMENTS numbers.

    growth: factor by which the next step enlarges a band.
    Bands have an even number of rows, as `Downsample` requires. If gradients are recorded there is only one
    band, because the backward pass keeps all activations anyway.
    """
    if torch.is_grad_enabled():
        return [features]
    batch, channels, height, width = features.shape
    rows = BAND_ELEMENTS // (batch * channels * width * growth) // 2 * 2
    return list(features.split(min(max(rows, 2), height), dim=2))


def join_rows(bands: Bands) -> Tensor:
    """Join bands to the whole feature map; empties the list."""
    features = bands[0] if len(bands) == 1 else torch.cat(bands, dim=2)
    bands.clear()
    return features


@dataclass(frozen=True)
class Rows:
    """One band with the neighbour rows that a 3x3 convolution needs.

    data: [batch, channels, above + rows + below, width].
    first: index in the feature map of the first row of `data`.
    above, below: 1 if the neighbour row is included, 0 at the edge.
    """

    data: Tensor
    first: int
    above: int
    below: int

    @property
    def core(self) -> Tensor:
        """The band without neighbour rows: [batch, channels, rows, width]."""
        return self.data[:, :, self.above : self.data.shape[2] - self.below]


def drain(bands: Bands) -> Iterator[Rows]:
    """Yield each band with its neighbour rows; bands are freed as soon as they are no longer needed."""
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
        # a copy, because a view would keep the whole band alive
        above = band[:, :, -1:].clone() if bands else None


def convolve(conv: nn.Conv2d, features: Tensor, rows: Rows) -> Tensor:
    """Apply a 3x3 convolution with padding 1 to features that were computed from `rows.data`.

    Returns [batch, out_channels, rows, width], without the neighbour rows.
    """
    if not rows.above and not rows.below:
        return conv(features)
    padded = F.pad(features, (0, 0, 1 - rows.above, 1 - rows.below))
    return F.conv2d(padded, conv.weight, conv.bias, padding=(0, 1))
