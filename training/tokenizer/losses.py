"""Losses of the image tokenizer's encoder and decoder."""

import torch
import torch.nn.functional as F
from torch import Tensor


def picture_loss(drawn: Tensor, pixels: Tensor) -> Tensor:
    """Loss of the decoder: absolute and squared error, and the error of differences between neighbour pixels.

    drawn, pixels: [batch, 3, height, width] in [-1, 1]. The last term keeps outlines sharp.
    """
    error = drawn - pixels
    edges = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    return error.abs().mean() + 2 * error.square().mean() + 0.5 * edges


def code_loss(latents: Tensor, codebook: Tensor, codes: Tensor) -> Tensor:
    """Loss of the encoder: cross-entropy of the true codes. It gives the codebook no gradient.

    latents: [batch, width, height, width]; codebook: [codes, width]; codes: [batch, height, width].
    The logits are minus half the squared distances: each code is the centre of a unit Gaussian.
    """
    points = latents.permute(0, 2, 3, 1).flatten(0, 2)
    middles = codebook.detach()
    logits = points @ middles.T - middles.square().sum(1) / 2
    return F.cross_entropy(logits, codes.flatten())


def psnr_db(drawn: Tensor, pixels: Tensor) -> float:
    """Peak signal-to-noise ratio of a whole batch in dB, for pixels in [-1, 1], whose peak is 2."""
    error = (drawn.detach().float().clamp(-1, 1) - pixels).square().mean()
    return (10 * torch.log10(4 / error)).item()
