"""A training run of the larger world's image tokenizer, in slices of any length."""

from pathlib import Path

import torch

from services.tokenizer.movqgan import load_movqgan, save_movqgan
from training.movqgan import begin
from training.tokenizer.measures import TokenizerFigures, measure
from training.tokenizer.trainer import (
    START,
    TokenizerOptions,
    TokenizerTrainer,
    latest_movqgan,
    train_tokenizer,
)
from training.world.codes import alphabet
from training.world.learning.ahead import MadeAhead
from training.world.learning.pictures import PictureMaker
from training.world.learning.start import WorldShape, tokenizer_config

_MEASURED_STEP = 1 << 40
"""Step index of the pictures that measure the tokenizer; no run trains that long."""


def train_image_tokenizer(
    run: Path,
    shape: WorldShape,
    options: TokenizerOptions,
    *,
    minutes: float,
    device: torch.device,
    processes: int,
) -> int:
    """Train from the run's last checkpoint and write RUN/model; returns the steps that are done."""
    begin(run, tokenizer_config(shape), seed=options.seed, meanings=alphabet())
    with MadeAhead(PictureMaker(options.batch, options.seed), processes) as pictures:
        trainer = TokenizerTrainer(load_movqgan(run / START).to(device), options, pictures)
        train_tokenizer(trainer, run, minutes=minutes)
        save_movqgan(latest_movqgan(run).eval(), run / "model")
        return trainer.step


def measure_image_tokenizer(run: Path, *, pictures: int, seed: int) -> dict[str, TokenizerFigures]:
    """Quality of the run's tokenizer on new pictures of both splits."""
    model = latest_movqgan(run).eval()
    return {
        split: measure(model, PictureMaker(pictures, seed, split)(_MEASURED_STEP))
        for split in ("train", "held_out")
    }
