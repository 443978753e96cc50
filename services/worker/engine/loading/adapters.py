"""LoRA adapters in the folder layout of peft, merged into the weights while they are loaded.

A merged model runs the same kernels as any other; only loading knows the adapter.
Source: Hu et al. 2021, arXiv 2106.09685, section 4.1.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from services.worker.engine.errors import CheckpointError
from services.worker.engine.loading.adapter_settings import AdapterSettings, read_adapter_settings
from services.worker.engine.loading.checkpoint import Shape, expected_shapes
from services.worker.engine.model.config import ModelConfig

ADAPTERS_FOLDER = "adapters"
"""Subfolder of a model folder; adapters in it can be named without a path."""
CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"

_LINEAR = ("_proj.weight", "lm_head.weight")
_FACTOR = re.compile(r"base_model\.model\.(?P<layer>.+)\.lora_(?P<side>[AB])\.weight")


@dataclass(frozen=True)
class Adapter:
    """Low-rank changes of some weights.

    factors: public name of a weight -> (A [rank, inputs], B [outputs, rank], scale), float32.
    """

    name: str
    factors: Mapping[str, tuple[Tensor, Tensor, float]] = field(repr=False)

    def merged(self, name: str, weight: Tensor) -> Tensor:
        """The weight with the adapter's change, in float32; other weights are returned unchanged."""
        if name not in self.factors:
            return weight
        down, up, scale = self.factors[name]
        return weight.float() + (up @ down * scale).to(weight.device)


def find_adapter(model: Path, name: str) -> Path:
    """Find the folder of an adapter: MODEL/adapters/NAME, or NAME as a path. Raises CheckpointError."""
    for folder in (model / ADAPTERS_FOLDER / name, Path(name)):
        if (folder / CONFIG_FILE).is_file():
            return folder
    known = sorted(file.parent.name for file in model.glob(f"{ADAPTERS_FOLDER}/*/{CONFIG_FILE}"))
    listed = f"; the adapters of the model are {', '.join(known)}" if known else ""
    raise CheckpointError(f"there is no adapter {name!r}{listed}")


def load_adapter(folder: Path, config: ModelConfig) -> Adapter:
    """Read an adapter for a model of this configuration.

    Raises CheckpointError for an adapter that is incomplete, damaged, for another model or not supported.
    """
    settings = read_adapter_settings(folder / CONFIG_FILE)
    sides = _read_factors(folder / WEIGHTS_FILE)
    shapes = expected_shapes(config)
    factors: dict[str, tuple[Tensor, Tensor, float]] = {}
    for layer in sorted({layer for layer, _ in sides}):
        down, up = sides.get((layer, "A")), sides.get((layer, "B"))
        name = f"{layer}.weight"
        if down is None or up is None or down.ndim != 2 or up.ndim != 2 or down.shape[0] != up.shape[1]:
            raise CheckpointError(f"{folder}: the shapes of the two factors of {layer} do not match")
        if shapes.get(name) != (up.shape[0], down.shape[1]):
            raise CheckpointError(f"{folder} was made for another model: the shape of {layer} differs")
        if down.shape[0] != settings.rank(layer):
            raise CheckpointError(
                f"{folder}: the factors of {layer} have rank {down.shape[0]}, but {CONFIG_FILE} sets "
                f"{settings.rank(layer)}"
            )
        factors[name] = (down, up, settings.scale(layer))
    _check_targets(folder, settings, factors.keys(), shapes)
    return Adapter(folder.resolve().name, factors)


def _check_targets(
    folder: Path, settings: AdapterSettings, present: Collection[str], shapes: Mapping[str, Shape]
) -> None:
    """Raise CheckpointError unless there are factors for exactly the layers that the configuration names."""
    if not present:
        raise CheckpointError(f"{folder / WEIGHTS_FILE} has no factors: the adapter would change nothing")
    layers = [name for name, shape in shapes.items() if len(shape) == 2 and name.endswith(_LINEAR)]
    targets = {name for name in layers if settings.targets(name.removesuffix(".weight"))}
    faults = [
        f"{title} {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        for title, names in (
            ("has no factors for", sorted(targets - set(present))),
            ("has factors for layers that its configuration does not name:", sorted(set(present) - targets)),
        )
        if names
    ]
    if faults:
        raise CheckpointError(f"the adapter {folder} {'; it '.join(faults)}")


def _read_factors(file: Path) -> dict[tuple[str, str], Tensor]:
    """Read all factors in float32, by layer and side ("A" or "B"). Raises CheckpointError."""
    factors: dict[tuple[str, str], Tensor] = {}
    try:
        with safe_open(file, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118 (it is not a mapping)
                match = _FACTOR.fullmatch(name)
                if match is None:
                    raise CheckpointError(f"{file} has {name}, which is not a LoRA factor of a linear layer")
                factor = weights.get_tensor(name).to(torch.float32, copy=True)
                if not factor.isfinite().all():
                    raise CheckpointError(f"{file}: {name} contains NaN or infinity")
                factors[match["layer"], match["side"]] = factor
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error
    return factors
