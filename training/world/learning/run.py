"""A training run of the larger world's transformer, in slices of any length.

A step is a function of its index and of the state before it: batches are made from seed and step, the
learning rate from the step. So a run may be stopped at any time and go on, also on another kind of device.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from services.worker.engine.loading.auto_precision import cpu_multiplies_bf16
from training.data.requests import read_vocabulary
from training.distributed import Workers
from training.progress import RunProgress
from training.transformer.preparation import load_for_training
from training.transformer.trainer import TrainingOptions, TransformerTrainer
from training.world.learning.ahead import MadeAhead
from training.world.learning.batches import FreshBatches, RowMaker
from training.world.learning.sequences import Layout
from training.world.learning.start import MODEL

CHECKPOINTS = "checkpoints"
_LOW_PRIORITY = 15


@dataclass(frozen=True, slots=True)
class Slice:
    """How one call trains: nothing here changes what is learned, except for rounding.

    minutes: wall-clock time after which it saves and ends; the run's last step ends it, too.
    processes: make batches ahead; 0 makes them between steps.
    """

    minutes: float
    device: torch.device
    processes: int
    save_seconds: float = 120.0
    line_every: int = 20


@dataclass(frozen=True, slots=True)
class Course:
    """What decides the run, together with `TrainingOptions`. batch: sequences of a step."""

    batch: int = 128
    seed: int = 1
    dropout: float = 0.1


def train(run: Path, course: Course, options: TrainingOptions, part: Slice) -> int:
    """Train the model in RUN/start from the run's last checkpoint; returns the steps that are done.

    Raises TrainingError if the checkpoint belongs to a run with other settings.
    """
    folder = run / MODEL
    with MadeAhead(row_maker(folder, course), part.processes) as rows:
        source = FreshBatches(row_maker(folder, course), rows)
        workers = Workers(0, 1, part.device)
        model = load_for_training(
            folder, workers, lora=None, bf16=options.bf16, recompute=False, seed=course.seed
        )
        trainer = TransformerTrainer(model, source, options, workers)
        trainer.resume(run / CHECKPOINTS)
        _train(trainer, run, options.steps, part)
        return trainer.step


def row_maker(folder: Path, course: Course) -> RowMaker:
    """What makes the batches of a run, for a model folder with its vocabulary."""
    vocabulary, _ = read_vocabulary(folder)
    return RowMaker(Layout(folder, vocabulary), course.batch, course.seed, course.dropout)


def _train(trainer: TransformerTrainer, run: Path, steps: int, part: Slice) -> None:
    saved_at = time.monotonic()
    ends_at = saved_at + 60 * part.minutes
    with RunProgress(run, steps, trainer.step, unit="tokens", line_every=part.line_every) as progress:
        while trainer.step < steps and saved_at < ends_at:
            tokens, figures = trainer.train_step()
            progress.advance(trainer.step, tokens, figures)
            now = time.monotonic()
            if now > min(saved_at + part.save_seconds, ends_at) or trainer.step == steps:
                trainer.save(run / CHECKPOINTS)
                saved_at = now


def is_fast_in_bf16(device: torch.device) -> bool:
    """Whether the device has units for bfloat16; on a CPU without them it is many times slower."""
    return device.type == "cuda" or cpu_multiplies_bf16()


def use(device: torch.device, threads: int) -> None:
    """Prepare this process: a low priority on the CPU, kernels with reproducible sums on a GPU."""
    torch.set_num_threads(threads)
    if device.type == "cpu":
        os.nice(_LOW_PRIORITY)
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
