"""Make a model folder from a run of the larger world."""

import shutil
from pathlib import Path

from training.checkpoints import latest_checkpoint
from training.export import export_model
from training.tokenizer.trainer import CHECKPOINTS
from training.world.learning.card import CARD
from training.world.learning.start import MODEL, TOKENIZER


def export_world(run: Path, out: Path) -> int:
    """Write the averaged weights and the newest image tokenizer of a run; returns the steps of the weights.

    Raises FileNotFoundError for a run without a checkpoint, TrainingError for another model's.
    """
    tokenizer = run / TOKENIZER
    is_trained = latest_checkpoint(tokenizer / CHECKPOINTS) is not None
    step = export_model(run / MODEL, run, out, movqgan_run=tokenizer if is_trained else None).step
    shutil.copy2(run / MODEL / CARD, out / CARD)
    return step
