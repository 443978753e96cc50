"""Quality of an image tokenizer: PSNR of its reconstructions, and share of cells with their true code."""

from dataclasses import dataclass

import numpy as np
import torch

from services.tokenizer.movqgan import MoVQGAN
from training.tokenizer.pictures import LabelledPictures, to_pixels


@dataclass(frozen=True, slots=True)
class TokenizerFigures:
    """psnr_db: PSNR of encoded and decoded pictures, from the mean squared error over all of them.

    true_codes: share of cells that get their true code. again: the same after decoding and encoding again.
    """

    psnr_db: float
    true_codes: float
    again: float

    def __str__(self) -> str:
        return (
            f"{self.psnr_db:.2f} dB PSNR, {self.true_codes:.2%} of the codes correct, "
            f"{self.again:.2%} after decoding and encoding again"
        )


def measure(model: MoVQGAN, labelled: LabelledPictures, *, chunk: int = 64) -> TokenizerFigures:
    """Measure a tokenizer on labelled pictures, `chunk` of them at a time."""
    error, right, right_again = 0.0, 0, 0
    truth = torch.from_numpy(labelled.codes)
    with torch.no_grad():
        pixels = to_pixels(labelled.pictures)
        for part, codes in zip(pixels.split(chunk), truth.split(chunk), strict=True):
            grid = model.encode(part)
            drawn = model.decode(grid).clamp(-1, 1)
            error += float((drawn - part).square().mean(dim=(1, 2, 3)).sum())
            right += int((grid == codes).sum())
            right_again += int((model.encode(drawn) == codes).sum())
    psnr = 10 * np.log10(4 * len(truth) / error)
    return TokenizerFigures(float(psnr), right / truth.numel(), right_again / truth.numel())
