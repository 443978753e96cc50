"""A training run of the image tokenizer: state, step and checkpoints."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from services.tokenizer.movqgan import MoVQGAN, load_movqgan
from training.checkpoints import check_unchanged, latest_checkpoint, read_checkpoint, save_checkpoint
from training.progress import RunProgress
from training.schedules import WarmupStableDecay
from training.tokenizer.losses import code_loss, picture_loss, psnr_db
from training.tokenizer.pictures import LabelledPictures, sample_pictures, to_pixels

START, CHECKPOINTS = "start", "checkpoints"
"""Subfolders of a run: the untrained tokenizer with its first codebook, and the checkpoints."""
NOISE = 0.08
"""Maximum standard deviation of the noise on the encoder's input, which is in [-1, 1]: about 28 dB."""


@dataclass(frozen=True, slots=True)
class TokenizerOptions:
    """learning_rate: peak rate. cells: side of the pictures in cells.

    bf16: compute convolutions in bfloat16, for CPUs and GPUs with bfloat16 units; weights stay float32.
    """

    steps: int
    batch: int = 16
    cells: int = 8
    learning_rate: float = 2e-3
    seed: int = 1
    bf16: bool = True
    save_seconds: float = 60.0


class TokenizerTrainer:
    """Everything that a training step changes.

    A step depends only on this state and its index, so an interrupted and resumed run ends with the same
    weights. The true codes are known, so each step trains decoder and encoder separately: the decoder and
    the codebook learn to draw pictures from true codes, and the encoder learns to find the true codes, half
    of the time in pictures that the decoder has just drawn.
    """

    def __init__(
        self,
        model: MoVQGAN,
        options: TokenizerOptions,
        pictures: Callable[[int], LabelledPictures] | None = None,
    ) -> None:
        """pictures: the pictures of a step, which depend only on its index; None draws scenes."""
        self.model = model.train()
        self.options = options
        self._pictures = pictures or self._scenes
        self._device = next(model.parameters()).device
        self.step = 0
        self.schedule = WarmupStableDecay(options.steps, min(50, options.steps // 10), decay=0.3)
        model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] (the stub lacks it)
        self.halves = [
            [*model.encoder.parameters(), *model.quant_conv.parameters()],
            [*model.quantize.parameters(), *model.post_quant_conv.parameters(), *model.decoder.parameters()],
        ]
        self.optimizer = torch.optim.Adam(
            [{"params": half} for half in self.halves], lr=options.learning_rate, betas=(0.9, 0.98)
        )

    def train_step(self) -> dict[str, float]:
        """Take one step and return its figures."""
        model, options = self.model, self.options
        labelled = self._pictures(self.step)
        pixels, codes = to_pixels(labelled.pictures).to(self._device), torch.from_numpy(labelled.codes)
        codes = codes.to(self._device)
        for group in self.optimizer.param_groups:
            group["lr"] = options.learning_rate * self.schedule.factor(self.step)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=options.bf16):
            drawn = model.decode_latents(model.quantize.vectors_of(codes))
            latents = model.encode_latents(self._seen(pixels, drawn.detach().float()))
        reading = code_loss(latents.float(), model.quantize.embedding.weight, codes)
        drawing = picture_loss(drawn.float(), pixels)
        self.optimizer.zero_grad()
        loss = reading + drawing
        loss.backward()
        for half in self.halves:
            nn.utils.clip_grad_norm_(half, 1.0)
        self.optimizer.step()
        self.step += 1
        return {"loss": loss.item(), "psnr_db": psnr_db(drawn, pixels), "reading": reading.item()}

    def _seen(self, pixels: Tensor, drawn: Tensor) -> Tensor:
        """Input of the encoder: true pictures in one half, decoded ones in the other, all with noise."""
        half = len(pixels) // 2
        mixed = torch.cat([pixels[:half], drawn[half:].clamp(-1, 1)])
        generator = torch.Generator().manual_seed(self.options.seed * 1_000_003 + self.step)
        # drawn on the CPU, so that every device sees the same noise
        level = NOISE * torch.rand(len(mixed), 1, 1, 1, generator=generator)
        noise = level * torch.randn(mixed.shape, generator=generator)
        return mixed + noise.to(mixed.device)

    def _scenes(self, step: int) -> LabelledPictures:
        """Pictures of the scene world."""
        options = self.options
        return sample_pictures(options.batch, options.seed, 1 + step, cells=options.cells)

    def _unchanged(self) -> dict[str, int]:
        """Settings that decide the pictures of a step, and that a resumed run must not change."""
        return {"--batch": self.options.batch, "--seed": self.options.seed, "cells": self.options.cells}

    def save(self, folder: Path) -> None:
        """Write a checkpoint from which `resume` continues exactly."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "began_with": self._unchanged(),
        }
        save_checkpoint(folder, self.step, state)

    def resume(self, folder: Path) -> None:
        """Continue from the folder's last checkpoint, if it has one.

        Raises TrainingError if that run had another batch size, seed or picture size.
        """
        path = latest_checkpoint(folder)
        if path is None:
            return
        state = read_checkpoint(path)
        check_unchanged(path, state.get("began_with", {}), self._unchanged())
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]


def latest_movqgan(run: Path) -> MoVQGAN:
    """The current tokenizer of a run, finished or not. Raises MoVQGANError if the folder has no run."""
    model = load_movqgan(run / START)
    checkpoint = latest_checkpoint(run / CHECKPOINTS)
    if checkpoint is not None:
        model.load_state_dict(read_checkpoint(checkpoint)["model"])
    return model.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue] (the stub lacks it)


def train_tokenizer(trainer: TokenizerTrainer, run: Path, *, minutes: float = math.inf) -> None:
    """Train to the last step or for some minutes, saving regularly and at the end.

    Afterwards the model is in evaluation mode.
    """
    options = trainer.options
    folder = run / CHECKPOINTS
    trainer.resume(folder)
    saved_at = time.monotonic()
    ends_at = saved_at + 60 * minutes
    with RunProgress(folder, options.steps, trainer.step, unit="pictures", line_every=50) as progress:
        while trainer.step < options.steps and saved_at < ends_at:
            figures = trainer.train_step()
            progress.advance(trainer.step, options.batch, figures)
            now = time.monotonic()
            if now > min(saved_at + options.save_seconds, ends_at) or trainer.step == options.steps:
                trainer.save(folder)
                saved_at = now
    trainer.model.eval()
