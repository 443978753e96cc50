"""One training run of the decoder: its state, its step, its checkpoints."""

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from services.tokenizer.movqgan import MoVQGAN, load_movqgan
from training.checkpoints import latest_checkpoint, read_checkpoint, save_checkpoint
from training.progress import RunProgress
from training.schedules import WarmupStableDecay
from training.tokenizer.losses import picture_loss, psnr_db
from training.tokenizer.pictures import sample_pictures, to_pixels

FITTED, DECODER = "fitted", "decoder"
"""Subfolders of a run: the tokenizer with an untrained decoder, and the decoder's checkpoints."""


@dataclass(frozen=True, slots=True)
class DecoderOptions:
    """learning_rate: its peak. cells: side of the pictures in tokens.

    bf16: convolutions in bfloat16, for CPUs and GPUs that have units for it; weights stay float32.
    """

    steps: int
    batch: int = 16
    cells: int = 8
    learning_rate: float = 2e-3
    seed: int = 1
    bf16: bool = True
    save_seconds: float = 60.0


class DecoderTrainer:
    """Everything that a step changes. Steps depend on this state and their index alone, so a run that was
    cut off and resumed ends in the same weights. Encoder and codebook stay as they are."""

    def __init__(self, model: MoVQGAN, options: DecoderOptions) -> None:
        self.model = model.train().requires_grad_(False)
        self.options = options
        self.step = 0
        self.schedule = WarmupStableDecay(options.steps, min(50, options.steps // 10), decay=0.3)
        for part in (model.decoder, model.post_quant_conv):
            part.requires_grad_(True).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] (the stub lacks it)
        self.trained: list[nn.Parameter] = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.trained, lr=options.learning_rate, betas=(0.9, 0.98))

    def train_step(self) -> dict[str, float]:
        """Take one step and return its figures."""
        options = self.options
        pictures = sample_pictures(options.batch, options.seed, 1 + self.step, cells=options.cells)
        pixels = to_pixels(pictures)
        for group in self.optimizer.param_groups:
            group["lr"] = options.learning_rate * self.schedule.factor(self.step)
        with torch.no_grad():
            vectors = self.model.quantize(self.model.encode_latents(pixels)).vectors
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bf16):
            drawn = self.model.decode_latents(vectors)
        loss = picture_loss(drawn.float(), pixels)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.step += 1
        return {"loss": loss.item(), "psnr_db": psnr_db(drawn, pixels)}

    def save(self, folder: Path) -> None:
        """Write a checkpoint that `resume` continues exactly."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        save_checkpoint(folder, self.step, state)

    def resume(self, folder: Path) -> None:
        """Continue from the folder's last checkpoint, if it has one."""
        path = latest_checkpoint(folder)
        if path is None:
            return
        state = read_checkpoint(path)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]


def latest_movqgan(run: Path) -> MoVQGAN:
    """The tokenizer of a run as it is now, finished or not. Raises MoVQGANError where none was fitted."""
    model = load_movqgan(run / FITTED)
    checkpoint = latest_checkpoint(run / DECODER)
    if checkpoint is not None:
        model.load_state_dict(read_checkpoint(checkpoint)["model"])
    return model.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue] (the stub lacks it)


def train_decoder(trainer: DecoderTrainer, run: Path) -> None:
    """Train until all steps are done, saving now and then; the model ends in evaluation mode."""
    options = trainer.options
    folder = run / DECODER
    trainer.resume(folder)
    saved_at = time.monotonic()
    with RunProgress(folder, options.steps, trainer.step, unit="pictures", line_every=50) as progress:
        while trainer.step < options.steps:
            figures = trainer.train_step()
            progress.advance(trainer.step, options.batch, figures)
            if time.monotonic() - saved_at > options.save_seconds or trainer.step == options.steps:
                trainer.save(folder)
                saved_at = time.monotonic()
    trainer.model.eval()
