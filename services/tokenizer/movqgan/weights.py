"""Load and save a MoVQGAN: the public `.ckpt`, or a folder with config.json and model.safetensors."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import safetensors.torch
import torch
from torch import Tensor

from services.tokenizer.movqgan.checkpoint_file import read_pickle, read_safetensors
from services.tokenizer.movqgan.config import MoVQGANConfig
from services.tokenizer.movqgan.config_inference import infer_config
from services.tokenizer.movqgan.errors import CheckpointError, MoVQGANConfigError, WeightsMismatchError
from services.tokenizer.movqgan.model import MoVQGAN

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"

TRAINING_LEFT_OVERS = re.compile(
    r"loss\."  # perceptual loss, discriminator and logvar
    r"|ema_(encoder|decoder|quantize|quant_conv|post_quant_conv)\."  # moving averages of the weights
    r"|colorize$"  # a random projection for segmentation maps
)
"""Keys of the public training code that inference does not use; every other extra key is an error."""


ConfigSource = Literal["given", "file", "inferred"]


@dataclass(frozen=True)
class LoadReport:
    """Details about a loaded checkpoint.

    config_source: source of the configuration.
    left_overs: ignored keys of the file, which only training uses.
    """

    config_source: ConfigSource
    left_overs: tuple[str, ...]


def load_movqgan(
    path: Path,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    config: MoVQGANConfig | None = None,
) -> MoVQGAN:
    """Load a checkpoint, in evaluation mode; see `load_movqgan_with_report`."""
    return load_movqgan_with_report(path, device=device, dtype=dtype, config=config)[0]


def load_movqgan_with_report(
    path: Path,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    config: MoVQGANConfig | None = None,
) -> tuple[MoVQGAN, LoadReport]:
    """Load a checkpoint strictly, and report the ignored keys.

    path: a folder that `save_movqgan` wrote, or a pickled state dict. The configuration of a state dict is
    `config`, or NAME.json or movqgan_config.json in the folder of NAME.ckpt, or is inferred from the shapes.
    Raises CheckpointError and MoVQGANConfigError.
    """
    opened = _open(path, config)
    state, model = opened.state, opened.model
    # copies, so that the file may be changed or deleted afterwards
    owned = {key: state.pop(key).to(device, dtype, copy=True) for key in list(state)}
    _require_finite(path, owned)
    model.load_state_dict(owned, assign=True)
    return model.eval(), LoadReport(opened.config_source, opened.left_overs)


def check_movqgan(path: Path) -> MoVQGANConfig:
    """Check a checkpoint without reading the weights' values; returns its configuration.

    Raises CheckpointError and MoVQGANConfigError as `load_movqgan` does, except for NaN and infinity.
    """
    return _open(path, None).model.config


@dataclass(frozen=True)
class _Opened:
    """A checked checkpoint: its weights, still in the mapped file, and a model without weights."""

    state: dict[str, Tensor]
    model: MoVQGAN
    config_source: ConfigSource
    left_overs: tuple[str, ...]


def _open(path: Path, config: MoVQGANConfig | None) -> _Opened:
    if path.is_dir():
        state = read_safetensors(path / WEIGHTS_FILE)
        config_files = [path / CONFIG_FILE]
    else:
        state = read_pickle(path)
        config_files = [path.with_suffix(".json"), path.with_name("movqgan_config.json")]
    left_overs = tuple(key for key in state if TRAINING_LEFT_OVERS.match(key))
    for key in left_overs:
        del state[key]

    source: ConfigSource = "given"
    if config is None:
        found = next((file for file in config_files if path.is_dir() or file.is_file()), None)
        source = "inferred" if found is None else "file"
        config = infer_config(_shapes(state)) if found is None else _read_config(found)
    with torch.device("meta"):
        model = MoVQGAN(config)
    _require_same_weights(_shapes(state), _shapes(model.state_dict()))
    return _Opened(state, model, source, left_overs)


def _require_finite(path: Path, weights: dict[str, Tensor]) -> None:
    """Raise CheckpointError for NaN and infinity, which would give black pictures."""
    for name, weight in weights.items():
        if weight.is_floating_point() and not all(map(torch.isfinite, weight.aminmax())):
            raise CheckpointError(f"{path.name}: {name} contains NaN or infinity")


def save_movqgan(model: MoVQGAN, folder: Path) -> None:
    """Write config.json and model.safetensors into `folder`, which is created if it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(model.config.to_dict(), indent=2)
    (folder / CONFIG_FILE).write_text(text + "\n", encoding="utf-8")
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    safetensors.torch.save_file(state, folder / WEIGHTS_FILE)


def _read_config(file: Path) -> MoVQGANConfig:
    try:
        document: object = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MoVQGANConfigError(f"{file.name} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise MoVQGANConfigError(f"{file.name} is not a JSON object")
    return MoVQGANConfig.from_dict(cast("dict[str, object]", document))


def _shapes(state: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in state.items()}


def _require_same_weights(found: dict[str, tuple[int, ...]], wanted: dict[str, tuple[int, ...]]) -> None:
    missing = [key for key in wanted if key not in found]
    unexpected = [key for key in found if key not in wanted]
    wrong_shape = {
        key: (found[key], shape) for key, shape in wanted.items() if key in found and found[key] != shape
    }
    if missing or unexpected or wrong_shape:
        raise WeightsMismatchError(missing, unexpected, wrong_shape)
