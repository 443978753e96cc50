"""How true a tokenizer's pictures are and how quiet its codes."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.tokenizer.movqgan import MoVQGAN
from training.tokenizer.pictures import label_cells, to_pixels


@dataclass(frozen=True, slots=True)
class TokenizerFigures:
    """psnr_db: of the mean squared error over all pictures. code_nats: entropy of the codes.

    noise_nats: entropy of a cell's code once all pixels of the cell are known, averaged over the cells.
    It is 0 if a code depends on its own cell alone.
    """

    psnr_db: float
    code_nats: float
    noise_nats: float

    def __str__(self) -> str:
        return f"{self.psnr_db:.2f} dB, {self.code_nats:.3f} nats a code, {self.noise_nats:.3f} of them noise"


def measure(model: MoVQGAN, pictures: NDArray[np.uint8], *, chunk: int = 64) -> TokenizerFigures:
    """Encode and decode pictures, [batch, side, side, 3]."""
    error, codes = 0.0, []
    with torch.no_grad():
        for part in to_pixels(pictures).split(chunk):
            grid = model.quantize.nearest_codes(model.encode_latents(part))
            drawn = model.decode_latents(model.quantize.vectors_of(grid)).clamp(-1, 1)
            error += float((drawn - part).square().mean(dim=(1, 2, 3)).sum())
            codes.append(grid.flatten())
    code = torch.cat(codes)
    look, _ = label_cells(pictures)
    psnr = 10 * np.log10(4 * len(pictures) / error)
    joint = _entropy(look * model.config.n_embed + code)
    return TokenizerFigures(float(psnr), _entropy(code), joint - _entropy(look))


def _entropy(labels: Tensor) -> float:
    """Entropy in nats of the labels' histogram."""
    counts = torch.unique(labels, return_counts=True)[1].double()
    shares = counts / counts.sum()
    return float(-(shares * shares.log()).sum())
