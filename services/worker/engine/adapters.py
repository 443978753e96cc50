"""LoRA adapters in the folder layout of peft, merged into the weights while they are loaded.

A merged model runs the same kernels as any other: nothing after loading knows that there is an adapter.
Source: Hu et al. 2021, arXiv 2106.09685, section 4.1; rank-stabilised scale: arXiv 2312.03732.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from services.worker.engine.checkpoint import expected_shapes
from services.worker.engine.config import ModelConfig
from services.worker.engine.errors import CheckpointError

ADAPTERS_FOLDER = "adapters"
"""Subfolder of a model folder whose adapters are known by their names."""
CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"

_FACTOR = re.compile(r"base_model\.model\.(?P<layer>.+)\.lora_(?P<side>[AB])\.weight")
_PLAIN: Mapping[str, object] = {
    "use_dora": False,
    "fan_in_fan_out": False,
    "bias": "none",
    "modules_to_save": None,
    "alpha_pattern": {},
    "lora_bias": False,
}
"""Settings of peft that this merge knows one value of; an absent one has it."""


@dataclass(frozen=True)
class Adapter:
    """Low-rank changes of some weights.

    factors: public name of a weight -> (A [rank, inputs], B [outputs, rank], scale), float32.
    """

    name: str
    factors: Mapping[str, tuple[Tensor, Tensor, float]] = field(repr=False)

    def merged(self, name: str, weight: Tensor) -> Tensor:
        """The weight with the adapter's change, in float32; another weight as it is."""
        if name not in self.factors:
            return weight
        down, up, scale = self.factors[name]
        return weight.float() + (up @ down * scale).to(weight.device)


def find_adapter(model: Path, name: str) -> Path:
    """The folder of an adapter: MODEL/adapters/NAME, or a path. Raises CheckpointError."""
    for folder in (model / ADAPTERS_FOLDER / name, Path(name)):
        if (folder / CONFIG_FILE).is_file():
            return folder
    known = sorted(file.parent.name for file in model.glob(f"{ADAPTERS_FOLDER}/*/{CONFIG_FILE}"))
    listed = f"; the model has {', '.join(known)}" if known else ""
    raise CheckpointError(f"there is no adapter {name!r}{listed}")


def load_adapter(folder: Path, config: ModelConfig) -> Adapter:
    """Read an adapter for a model of this configuration.

    Raises CheckpointError for an adapter that is incomplete, of another model or of another kind.
    """
    alpha, is_rank_stabilised = _read_config(folder / CONFIG_FILE)
    sides = _read_factors(folder / WEIGHTS_FILE)
    shapes = expected_shapes(config)
    factors: dict[str, tuple[Tensor, Tensor, float]] = {}
    for layer in sorted({layer for layer, _ in sides}):
        down, up = sides.get((layer, "A")), sides.get((layer, "B"))
        name = f"{layer}.weight"
        if down is None or up is None or down.ndim != 2 or up.ndim != 2 or down.shape[0] != up.shape[1]:
            raise CheckpointError(f"{folder}: the two factors of {layer} do not fit each other")
        if shapes.get(name) != (up.shape[0], down.shape[1]):
            raise CheckpointError(f"{folder} was made for another model: {layer} does not fit")
        rank = down.shape[0]
        factors[name] = (down, up, alpha / (rank**0.5 if is_rank_stabilised else rank))
    return Adapter(folder.resolve().name, factors)


def _read_config(file: Path) -> tuple[float, bool]:
    """The scale's numerator and whether it is divided by the rank's root. Raises CheckpointError."""
    try:
        document: object = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise CheckpointError(f"{file} holds no object")
    settings = cast("dict[str, object]", document)
    kind, alpha = settings.get("peft_type"), settings.get("lora_alpha")
    if kind != "LORA" or not isinstance(alpha, int | float):
        raise CheckpointError(
            f"{file} describes {kind!r} with lora_alpha {alpha!r}, which is no LoRA adapter"
        )
    others = [
        f"{key} {settings[key]!r}" for key, known in _PLAIN.items() if settings.get(key) not in (known, None)
    ]
    if others:
        raise CheckpointError(f"{file} asks for {', '.join(others)}, which cannot be merged")
    return float(alpha), bool(settings.get("use_rslora"))


def _read_factors(file: Path) -> dict[tuple[str, str], Tensor]:
    """Each factor in float32 by its layer and side, "A" or "B". Raises CheckpointError."""
    factors: dict[tuple[str, str], Tensor] = {}
    try:
        with safe_open(file, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118 (it is no mapping)
                match = _FACTOR.fullmatch(name)
                if match is None:
                    raise CheckpointError(f"{file} holds {name}, which is no factor of a linear layer")
                factors[match["layer"], match["side"]] = weights.get_tensor(name).to(torch.float32)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error
    return factors
