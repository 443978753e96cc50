"""Training checkpoints: one file per saved step, written completely or not at all."""

import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch

from training.errors import TrainingError

_NAME = re.compile(r"step-(\d{8})\.pt")
KEPT = 2
"""Number of checkpoints that a run keeps; older ones are deleted."""


def save_checkpoint(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write the state of a run after `step` steps, then delete the oldest checkpoints.

    state: tensors, numbers, strings and containers of them; other types cannot be read back.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:08d}.pt"
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        torch.save({"step": step, **state}, file)
        os.fsync(file.fileno())
    unfinished.replace(path)  # atomic, so a crash leaves the previous checkpoint
    for old in _checkpoints(folder)[:-KEPT]:
        old.unlink()
    return path


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint of a run, or None if it has none."""
    found = _checkpoints(folder)
    return found[-1] if found else None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The saved state and its `step`. Only data is read: a checkpoint cannot run code.

    Raises TrainingError for a damaged file.
    """
    try:
        return cast("dict[str, Any]", torch.load(path, map_location="cpu", weights_only=True))
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path} is damaged; delete it to continue from the checkpoint before") from error


def check_unchanged(path: Path, began: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Check that a run is resumed with the settings that it was started with. Raises TrainingError.

    began: settings in the checkpoint; only settings that it names are compared.
    """
    for name, value in began.items():
        if name in now and now[name] != value:
            raise TrainingError(
                f"{path.parent.parent} was started with {name} {value}, not {now[name]}: "
                "use the same value, or choose another run folder"
            )


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*.pt") if _NAME.fullmatch(path.name))
