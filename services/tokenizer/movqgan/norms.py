"""Group norm over bands of rows; in the decoder it also depends on the quantised latents."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from services.tokenizer.movqgan.row_bands import Bands, Rows

Normalise = Callable[[Rows], Tensor]
"""Normalises `rows.data`, including the neighbour rows, with the statistics of the whole picture."""


class GroupNorm(nn.GroupNorm):
    """Group norm in two steps: collect the statistics of all bands, then normalise band by band."""

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__(groups, channels, eps=1e-6)

    def fit(self, bands: Bands) -> Normalise:
        """Compute mean and variance of each group over all bands; returns the function that normalises."""
        if len(bands) == 1:
            return lambda rows: self(rows.data)
        scale, shift = self._affine(bands)
        return lambda rows: torch.addcmul(shift, rows.data, scale)

    def _affine(self, bands: Bands) -> tuple[Tensor, Tensor]:
        """Scale and shift of each channel, [batch, channels, 1, 1], which combine norm, weight and bias.

        The total variance is the mean of the bands' variances plus the variance of their means.
        """
        batch, channels = bands[0].shape[:2]
        sizes = torch.tensor([band.shape[2] for band in bands]).to(bands[0])
        moments = [
            torch.var_mean(band.reshape(batch, self.num_groups, -1), dim=2, correction=0) for band in bands
        ]
        variances = torch.stack([variance for variance, _ in moments], dim=2)
        means = torch.stack([mean for _, mean in moments], dim=2)
        share = sizes / sizes.sum()
        mean = (means * share).sum(dim=2, keepdim=True)
        variance = ((variances + (means - mean).square()) * share).sum(dim=2, keepdim=True)
        scale = self.weight.view(self.num_groups, -1) * torch.rsqrt(variance + self.eps)
        shift = self.bias.view(self.num_groups, -1) - mean * scale
        return scale.reshape(batch, channels, 1, 1), shift.reshape(batch, channels, 1, 1)


class SpatialNorm(nn.Module):
    """Group norm, then a scale and a shift for each pixel, computed from the quantised latent of its cell.

    Source: Zheng et al. 2022 (MoVQ), section 3.2, arXiv 2209.09002.
    """

    def __init__(self, channels: int, condition_channels: int, groups: int) -> None:
        super().__init__()
        self.norm_layer = GroupNorm(channels, groups)
        self.conv_y = nn.Conv2d(condition_channels, channels, kernel_size=1)
        self.conv_b = nn.Conv2d(condition_channels, channels, kernel_size=1)

    def fit(self, bands: Bands, condition: Tensor) -> Normalise:
        """Compute the statistics, and scale and shift of each cell.

        condition: quantised latents, [batch, condition_channels, grid height, grid width]; they are upsampled
        to the size of the features by nearest neighbour.
        """
        normalise = self.norm_layer.fit(bands)
        factor = bands[0].shape[3] // condition.shape[3]
        # 1x1 convolutions use one pixel only, so they can run on the grid, before upsampling
        scale, shift = self.conv_y(condition), self.conv_b(condition)

        def modulate(rows: Rows) -> Tensor:
            window = range(rows.first, rows.first + rows.data.shape[2])
            return torch.addcmul(
                _enlarge(shift, factor, window), normalise(rows), _enlarge(scale, factor, window)
            )

        return modulate


def _enlarge(grid: Tensor, factor: int, window: range) -> Tensor:
    """Rows `window` of the grid upsampled by `factor`: [batch, channels, len(window), width]."""
    first, last = window[0] // factor, window[-1] // factor
    covering = F.interpolate(grid[:, :, first : last + 1], scale_factor=float(factor), mode="nearest")
    offset = window[0] - first * factor
    return covering[:, :, offset : offset + len(window)]
