"""Low-rank adapters (LoRA) with peft: added to a transformer for training, written in peft's layout."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import safetensors.torch
import torch
from torch import Tensor, nn

from services.worker.engine.loading.adapters import CONFIG_FILE, WEIGHTS_FILE
from services.worker.engine.model.transformer import Projections, Transformer, checkpoint_name

if TYPE_CHECKING:
    from peft import LoraConfig

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_ADAPTER = "default"


class AdaptableProjections(Projections):
    """Projections whose layers may be of any class, because peft replaces nn.Linear by its own class."""

    def __init__(self, plain: Projections) -> None:
        super().__init__(0, {}, bias=False)
        self.names = plain.names
        for name in plain.names:
            self.add_module(name, plain.get_submodule(name))

    def parts(self) -> list[nn.Linear]:
        return cast("list[nn.Linear]", list(self.children()))


def add_lora(model: Transformer, rank: int, seed: int) -> None:
    """Add new adapters, which do not change the output yet, to the model; freeze all other weights."""
    config = _peft_config(rank)
    from peft import inject_adapter_in_model

    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Projections):
                setattr(parent, name, AdaptableProjections(child))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        inject_adapter_in_model(config, model, adapter_name=_ADAPTER)


def write_adapter(folder: Path, rank: int, factors: Mapping[str, Tensor], dtype: torch.dtype) -> None:
    """Write a folder that peft and the engine load.

    factors: the trained parameters, by their names in the model with adapters.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _peft_config(rank).save_pretrained(str(folder))
    tensors = {_public_name(name): value.to(dtype).contiguous() for name, value in factors.items()}
    unfinished = folder / f"{WEIGHTS_FILE}.unfinished"
    safetensors.torch.save_file(tensors, unfinished, metadata={"format": "pt"})
    unfinished.replace(folder / WEIGHTS_FILE)


def adapter_rank(folder: Path) -> int | None:
    """The rank of an adapter that `write_adapter` wrote, or None if the folder has no adapter."""
    file = folder / CONFIG_FILE
    return json.loads(file.read_text(encoding="utf-8"))["r"] if file.is_file() else None


def _peft_config(rank: int) -> "LoraConfig":
    """Configuration with an adapter for every projection of every layer; the scale is 2 for every rank."""
    # importing peft makes bitsandbytes warn that an optional CPU kernel is missing
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from peft import LoraConfig

    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(TARGETS), task_type="CAUSAL_LM")


def _public_name(parameter: str) -> str:
    """The name of a parameter in peft's files, for a model of the public layout; it has no adapter name."""
    return "base_model.model." + checkpoint_name(parameter.replace(f".{_ADAPTER}.", "."))
