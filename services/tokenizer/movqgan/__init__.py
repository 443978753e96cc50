"""The MoVQGAN image tokenizer in torch: encodes pictures as grids of codes and decodes them."""

from services.tokenizer.movqgan.config import MoVQGANConfig
from services.tokenizer.movqgan.convolutions import reproducible_convolutions
from services.tokenizer.movqgan.errors import MoVQGANError
from services.tokenizer.movqgan.model import MoVQGAN
from services.tokenizer.movqgan.quantizer import Quantized
from services.tokenizer.movqgan.weights import (
    LoadReport,
    check_movqgan,
    load_movqgan,
    load_movqgan_with_report,
    save_movqgan,
)

__all__ = [
    "LoadReport",
    "MoVQGAN",
    "MoVQGANConfig",
    "MoVQGANError",
    "Quantized",
    "check_movqgan",
    "load_movqgan",
    "load_movqgan_with_report",
    "reproducible_convolutions",
    "save_movqgan",
]
