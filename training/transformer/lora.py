"""Low-rank adapters through peft: put into a transformer for training, written as peft writes them."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import safetensors.torch
import torch
from torch import Tensor, nn

from services.worker.engine.adapters import CONFIG_FILE, WEIGHTS_FILE
from services.worker.engine.transformer import Projections, Transformer, checkpoint_name

if TYPE_CHECKING:
    from peft import LoraConfig

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_ADAPTER = "default"


class AdaptableProjections(Projections):
    """Projections whose maps may be of any class: peft puts its own in place of nn.Linear."""

    def __init__(self, plain: Projections) -> None:
        super().__init__(0, {}, bias=False)
        self.names = plain.names
        for name in plain.names:
            self.add_module(name, plain.get_submodule(name))

    def parts(self) -> list[nn.Linear]:
        return cast("list[nn.Linear]", list(self.children()))


def add_lora(model: Transformer, rank: int, seed: int) -> None:
    """Put fresh adapters, which change nothing yet, into the model; only they can be trained afterwards."""
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

    factors: the trained parameters by their names in the model with adapters.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _peft_config(rank).save_pretrained(str(folder))
    tensors = {_public_name(name): value.to(dtype).contiguous() for name, value in factors.items()}
    unfinished = folder / f"{WEIGHTS_FILE}.unfinished"
    safetensors.torch.save_file(tensors, unfinished, metadata={"format": "pt"})
    unfinished.replace(folder / WEIGHTS_FILE)


def adapter_rank(folder: Path) -> int | None:
    """The rank of the adapter that `write_adapter` wrote, or None for a folder without one."""
    file = folder / CONFIG_FILE
    return json.loads(file.read_text(encoding="utf-8"))["r"] if file.is_file() else None


def _peft_config(rank: int) -> "LoraConfig":
    """Every projection of every layer; the scale is 2, whatever the rank."""
    # its remark that an optional CPU kernel is absent would stand in the way
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from peft import LoraConfig

    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(TARGETS), task_type="CAUSAL_LM")


def _public_name(parameter: str) -> str:
    """What peft calls the parameter in a model of the public layout; it leaves the adapter's name out."""
    return "base_model.model." + checkpoint_name(parameter.replace(f".{_ADAPTER}.", "."))
