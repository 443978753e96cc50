"""Read tensors from an untrusted file, with torch's weights-only reader or safetensors."""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from services.tokenizer.movqgan.errors import (
    CheckpointError,
    CheckpointUnreadableError,
    UnsafeCheckpointError,
)


def read_pickle(path: Path) -> dict[str, Tensor]:
    """Read the state dict of a `.ckpt` file, mapped into memory if the format allows it.

    Raises CheckpointUnreadableError, UnsafeCheckpointError, or CheckpointError for a file with other contents
    than names and tensors.
    """
    _require_file(path)
    try:
        content: object = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError as error:
        raise UnsafeCheckpointError(f"{path.name} is not a plain state dict: {_first_line(error)}") from error
    except (RuntimeError, EOFError, ValueError, OSError, KeyError, IndexError, AttributeError) as error:
        # torch raises different errors for different kinds of damage
        raise CheckpointUnreadableError(f"{path.name} cannot be read: {_first_line(error)}") from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path.name} contains {type(content).__name__}, not a state dict")
    entries = cast("Mapping[object, object]", content)
    others = [str(key) for key, value in entries.items() if not isinstance(value, Tensor)]
    if others:
        raise CheckpointError(f"{path.name} is not a bare state dict; not tensors: {', '.join(others)}")
    return {str(key): cast("Tensor", value) for key, value in entries.items()}


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a safetensors file. Raises CheckpointUnreadableError."""
    _require_file(path)
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointUnreadableError(f"{path.name} cannot be read: {_first_line(error)}") from error


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise CheckpointUnreadableError(f"there is no file {path}")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
