"""Measure how well an image tokenizer reconstructs a user's pictures."""

import torch

from services.tokenizer.image_codec import pixels_from_image
from services.tokenizer.movqgan import MoVQGAN
from training.data.records import UserExample
from training.data.user_pictures import Fit, read_panels
from training.tokenizer.losses import psnr_db

MEASURED = 8
"""Number of examples that are encoded and decoded."""
KNOWN_DB = 20.0
"""Least PSNR: below it a picture is not recognisable. MoVQGAN reconstructs photographs at about 27 dB."""


@torch.inference_mode()
def reconstruction_db(examples: list[UserExample], fit: Fit, movqgan: MoVQGAN) -> float:
    """Mean PSNR in dB of pictures that are encoded and decoded, over a few of the examples.

    Raises BadRecordError if a picture cannot be read.
    """
    found: list[float] = []
    for example in examples[:: max(1, len(examples) // MEASURED)][:MEASURED]:
        for panel in read_panels(example, fit):
            pixels = pixels_from_image(panel).to(next(movqgan.parameters()).device)
            found.append(psnr_db(movqgan.decode(movqgan.encode(pixels)), pixels))
    return sum(found) / len(found)
