"""The configuration of a decoder: the public Chameleon `config.json` as a frozen dataclass."""

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self, TypeGuard, cast

import torch

from services.worker.engine.errors import CheckpointError

CONFIG_FILE = "config.json"

_DIVISIONS = (
    ("hidden_size", "num_attention_heads"),
    ("num_attention_heads", "num_key_value_heads"),
    ("num_attention_heads", "model_parallel_size"),
    ("num_key_value_heads", "model_parallel_size"),
)
"""Pairs of sizes; the second must divide the first."""


@dataclass(frozen=True)
class ModelConfig:
    """Sizes and options of a Chameleon-type decoder, under their public names.

    Defaults are those of the public `ChameleonConfig`; fields without one are required in the file.
    num_key_value_heads: fewer than `num_attention_heads` means grouped-query attention.
    rope_scaling_factor: positions are divided by it; in the file, the factor of a linear `rope_scaling`.
    model_parallel_size: number of groups of heads with their own weight and bias after the q/k norm.
    swin_norm: normalise the outputs of attention and MLP instead of their inputs.
    mask_image_logits: not used; the image grammar forbids image codes in text either way.
    torch_dtype: dtype of the published weights.
    Raises CheckpointError that lists every fault.
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    max_position_embeddings: int = 4096
    model_parallel_size: int = 1
    rope_theta: float = 10000.0
    rope_scaling_factor: float = 1.0
    rms_norm_eps: float = 1e-5
    swin_norm: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False
    tie_word_embeddings: bool = False
    mask_image_logits: bool = False
    torch_dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        _refuse(_faults(asdict(self)))

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Read `config.json` of a model folder. Raises CheckpointError."""
        file = folder / CONFIG_FILE
        try:
            document: object = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{CONFIG_FILE} cannot be read: {error}") from error
        if not isinstance(document, dict):
            raise CheckpointError(f"{CONFIG_FILE} is not a JSON object")
        return cls.from_dict(cast("dict[str, object]", document))

    @classmethod
    def from_dict(cls, document: Mapping[str, object]) -> Self:
        """Read the public JSON of transformers 4 or 5; entries that the decoder does not use are ignored.

        Raises CheckpointError that lists every fault.
        """
        # transformers writes null for settings that were left at their default
        given = {key: value for key, value in document.items() if value is not None}
        values = {field.name: given[field.name] for field in fields(cls) if field.name in given}
        values.setdefault("num_key_value_heads", given.get("num_attention_heads"))
        values["torch_dtype"] = _dtype(given)
        rope = _rope_entries(given)
        values["rope_theta"] = rope.get("rope_theta", given.get("rope_theta", cls.rope_theta))
        values["rope_scaling_factor"] = rope.get("factor", cls.rope_scaling_factor)

        missing = [
            field.name for field in fields(cls) if _is_required(field) and values.get(field.name) is None
        ]
        faults = [f"{name} is missing" for name in missing]
        present = {name: value for name, value in values.items() if name not in missing}
        _refuse(_architecture_faults(given, rope) + faults + _faults(present))
        return cls(**cast("dict[str, Any]", present))


def _is_required(field: "Field[Any]") -> bool:
    return field.default is MISSING


def _refuse(faults: list[str]) -> None:
    if faults:
        raise CheckpointError(f"{CONFIG_FILE} describes a model that cannot run: " + "; ".join(faults))


def _dtype(given: Mapping[str, object]) -> object:
    """The dtype in the file: transformers 5 writes it as `dtype`, earlier versions as `torch_dtype`."""
    name = given.get("dtype", given.get("torch_dtype", "float32"))
    named = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    return named.get(name, name) if isinstance(name, str) else name


def _rope_entries(given: Mapping[str, object]) -> dict[str, object]:
    """The entries `rope_parameters` (transformers 5) or `rope_scaling`; an old `type` becomes `rope_type`."""
    entries = given.get("rope_parameters", given.get("rope_scaling", {}))
    if not isinstance(entries, Mapping):
        return {"rope_type": None}  # reported as an unsupported type
    entries = dict(cast("Mapping[str, object]", entries))
    entries.setdefault("rope_type", entries.get("type", "default"))
    if entries["rope_type"] == "linear":
        entries.setdefault("factor", None)
    elif entries["rope_type"] == "default":
        entries.pop("factor", None)
    return entries


def _architecture_faults(given: Mapping[str, object], rope: Mapping[str, object]) -> list[str]:
    """Differences from the architecture that the engine runs."""
    faults: list[str] = []
    if given.get("model_type") != "chameleon":
        faults.append(f"model_type is {given.get('model_type')!r}, not 'chameleon'")
    if given.get("hidden_act", "silu") != "silu":
        faults.append(f"hidden_act is {given['hidden_act']!r}; only 'silu' is supported")
    if rope["rope_type"] not in ("default", "linear"):
        faults.append(f"rope_scaling is of type {rope['rope_type']!r}; only 'linear' is supported")
    if "quantization_config" in given:
        faults.append("the weights are quantised; use the original ones and quantise them while loading")
    hidden, heads, head_dim = (given.get(key) for key in ("hidden_size", "num_attention_heads", "head_dim"))
    if head_dim is not None and _is_count(hidden) and _is_count(heads) and head_dim != hidden // heads:
        faults.append(f"head_dim is {head_dim!r}, not hidden_size / num_attention_heads")
    return faults


def _faults(values: Mapping[str, object]) -> list[str]:
    """Faults of single values, then sizes that contradict each other; absent values are skipped."""
    faults = [
        f"{field.name} is {values[field.name]!r}; it must be {wanted}"
        for field in fields(ModelConfig)
        if field.name in values and (wanted := _wanted(field, values[field.name]))
    ]
    sizes = {name: value for name, value in values.items() if _is_count(value)}
    for multiple, divisor in _DIVISIONS:
        if multiple in sizes and divisor in sizes and sizes[multiple] % sizes[divisor]:
            faults.append(f"{divisor} {sizes[divisor]} does not divide {multiple} {sizes[multiple]}")
    hidden, heads = sizes.get("hidden_size", 2), sizes.get("num_attention_heads", 1)
    if hidden % heads == 0 and hidden // heads % 2:
        faults.append(f"the head size is {hidden // heads}; rotary embedding needs an even one")
    return faults


def _wanted(field: "Field[Any]", value: object) -> str | None:
    """Description of the values that the field allows, or None if this value is one of them."""
    if field.type is int:
        return None if _is_count(value) else "a positive integer"
    if field.type is float:
        return None if _is_positive(value) else "a positive number"
    if field.type is bool:
        return None if isinstance(value, bool) else "true or false"
    return None if isinstance(value, torch.dtype) else "float32, bfloat16 or float16"


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
