"""Training checkpoints: written whole or not at all, found again by step."""

import os
import re
from pathlib import Path
from typing import Any, cast

import torch

_NAME = re.compile(r"step-(\d{8})\.pt")
KEPT = 2
"""Older checkpoints of a run are deleted once this many newer ones exist."""


def save_checkpoint(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write the state of a run after `step` steps, then drop checkpoints that are too old.

    state: tensors, numbers, strings and containers of them; nothing else can be read back.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:08d}.pt"
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        torch.save({"step": step, **state}, file)
        os.fsync(file.fileno())
    unfinished.replace(path)  # atomic: a crash leaves the older checkpoint
    for old in _checkpoints(folder)[:-KEPT]:
        old.unlink()
    return path


def latest_checkpoint(folder: Path) -> Path | None:
    """The checkpoint of a run's last saved step, or None for a run that has none."""
    found = _checkpoints(folder)
    return found[-1] if found else None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The state as it was saved, with its `step`. Only data is read: a checkpoint cannot run code."""
    return cast("dict[str, Any]", torch.load(path, map_location="cpu", weights_only=True))


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*.pt") if _NAME.fullmatch(path.name))
