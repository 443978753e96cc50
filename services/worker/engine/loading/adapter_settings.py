"""adapter_config.json of peft: which layers an adapter changes and by what factor, or why it is refused.

peft has many variants of LoRA, and new versions add more. The merge supports some settings and ignores those
that do not affect merged weights; any other setting makes it refuse the adapter and name the setting.
Source: peft 0.21, tuners/lora/config.py and check_target_module_exists of tuners/tuners_utils.py.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from services.worker.engine.errors import CheckpointError

Number = TypeVar("Number", int, float)

KEEP_BASE_WEIGHTS = (None, True, False, "gaussian", "eva", "orthogonal", "mica")
"""Values of `init_lora_weights` that leave the base weights unchanged."""

_USED = {
    *("peft_type", "r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "init_lora_weights"),
    *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
}
_IGNORED = {
    *("task_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision", "inference_mode"),
    *("lora_dropout", "megatron_core", "loftq_config", "eva_config", "corda_config", "lora_ga_config"),
    *("qalora_group_size", "runtime_config"),
}
"""Settings about training, origin or details of an initialisation; they do not affect the merged weights."""

_ALL_LINEAR = "all-linear"
_HEAD = "lm_head"
_LAYER_NUMBER = re.compile(r".*?\.[^.]*\.(?P<number>\d+)\.")


@dataclass(frozen=True)
class AdapterSettings:
    """The settings that the merge supports, under peft's names. Patterns use their first matching entry."""

    r: int
    lora_alpha: float
    use_rslora: bool
    rank_pattern: Mapping[str, int]
    alpha_pattern: Mapping[str, float]
    target_modules: str | tuple[str, ...]
    exclude_modules: str | tuple[str, ...]
    layers_to_transform: tuple[int, ...]
    layers_pattern: tuple[str, ...]

    def rank(self, layer: str) -> int:
        """Rank of the factors of a layer."""
        return _first_match(self.rank_pattern, layer, self.r)

    def scale(self, layer: str) -> float:
        """Factor of a layer's change: alpha / rank, or alpha / sqrt(rank) for rsLoRA (arXiv 2312.03732)."""
        rank = self.rank(layer)
        alpha = _first_match(self.alpha_pattern, layer, self.lora_alpha)
        return alpha / (math.sqrt(rank) if self.use_rslora else rank)

    def targets(self, layer: str) -> bool:
        """Whether the adapter has factors for a layer, such as `model.layers.0.self_attn.q_proj`."""
        if self.exclude_modules and _names(self.exclude_modules, layer):
            return False
        if isinstance(self.target_modules, str):
            if self.target_modules.lower() == _ALL_LINEAR:
                return layer != _HEAD
            return _names(self.target_modules, layer)
        if layer in self.target_modules:
            return True
        return _names(self.target_modules, layer) and self._is_selected_layer(layer)

    def _is_selected_layer(self, layer: str) -> bool:
        if not self.layers_to_transform:
            return True
        patterns = [re.compile(rf"(?:^|.*?\.){name}\.(?P<number>\d+)\.") for name in self.layers_pattern]
        matches = (pattern.match(layer) for pattern in patterns or [_LAYER_NUMBER])
        found = next((match for match in matches if match), None)
        return found is not None and int(found["number"]) in self.layers_to_transform


def read_adapter_settings(file: Path) -> AdapterSettings:
    """Read adapter_config.json. Raises CheckpointError if it is damaged or its settings cannot be merged."""
    settings = _read_object(file)
    kind, alpha, rank = (settings.get(name) for name in ("peft_type", "lora_alpha", "r"))
    if kind != "LORA" or not _is_number(alpha) or not _is_count(rank):
        raise CheckpointError(
            f"{file} does not describe a LoRA adapter: peft_type {kind!r}, lora_alpha {alpha!r}, r {rank!r}"
        )
    initialisation = settings.get("init_lora_weights")
    if initialisation not in KEEP_BASE_WEIGHTS:
        raise CheckpointError(
            f"{file} has init_lora_weights {initialisation!r}, which changes the base weights: the adapter "
            "fits only the changed ones. Save it with peft's path_initial_model_for_weight_conversion"
        )
    others = [
        f"{name} {value!r}"
        for name, value in settings.items()
        if name not in _USED | _IGNORED and value not in (None, False, "none", {}, [])
    ]
    if others:
        raise CheckpointError(f"{file} has settings that cannot be merged: {', '.join(others)}")
    try:
        return _parsed(settings)
    except (TypeError, ValueError, re.error) as error:
        raise CheckpointError(f"{file} has a setting that is not valid: {error}") from error


def _parsed(settings: Mapping[str, object]) -> AdapterSettings:
    """Convert the JSON object. Raises TypeError, ValueError or re.error for values of a wrong type."""
    targets = _name_list(settings, "target_modules")
    if not targets:
        raise ValueError("target_modules names no layer")
    excluded = _name_list(settings, "exclude_modules")
    layers = settings.get("layers_to_transform")
    numbers = [layers] if isinstance(layers, int) else layers or []
    if not isinstance(numbers, list) or not all(isinstance(each, int) for each in numbers):
        raise TypeError(f"layers_to_transform is {layers!r}")
    patterns = _name_list(settings, "layers_pattern")
    for expression in (targets, excluded):
        if isinstance(expression, str):
            re.compile(expression)
    return AdapterSettings(
        r=cast("int", settings["r"]),
        lora_alpha=float(cast("float", settings["lora_alpha"])),
        use_rslora=bool(settings.get("use_rslora")),
        rank_pattern=cast("dict[str, int]", _pattern(settings, "rank_pattern")),
        alpha_pattern=_pattern(settings, "alpha_pattern"),
        target_modules=targets,
        exclude_modules=excluded,
        layers_to_transform=tuple(cast("list[int]", numbers)),
        layers_pattern=(patterns,) if isinstance(patterns, str) else patterns,
    )


def _read_object(file: Path) -> dict[str, object]:
    try:
        document: object = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise CheckpointError(f"{file} is not a JSON object")
    return cast("dict[str, object]", document)


def _name_list(settings: Mapping[str, object], name: str) -> str | tuple[str, ...]:
    """A regular expression, or a tuple of names; empty for null."""
    value = settings.get(name) or []
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or not all(isinstance(each, str) for each in cast("list[object]", value)):
        raise TypeError(f"{name} is {value!r}")
    return tuple(cast("list[str]", value))


def _pattern(settings: Mapping[str, object], name: str) -> dict[str, float]:
    """A mapping from regular expressions to numbers above zero."""
    value = settings.get(name) or {}
    if not isinstance(value, dict):
        raise TypeError(f"{name} is {value!r}")
    pattern = cast("dict[str, object]", value)
    wanted = _is_count if name == "rank_pattern" else _is_number
    for expression, number in pattern.items():
        re.compile(expression)
        if not wanted(number):
            raise ValueError(f"{name} has {number!r} for {expression!r}")
    return cast("dict[str, float]", pattern)


def _first_match(pattern: Mapping[str, Number], layer: str, otherwise: Number) -> Number:
    for expression, number in pattern.items():
        if re.match(rf"(.*\.)?({expression})$", layer):
            return number
    return otherwise


def _names(wanted: str | tuple[str, ...], layer: str) -> bool:
    """Whether a regular expression matches the whole layer name, or one of several names matches its end."""
    if isinstance(wanted, str):
        return re.fullmatch(wanted, layer) is not None
    return any(layer == name or layer.endswith(f".{name}") for name in wanted)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
