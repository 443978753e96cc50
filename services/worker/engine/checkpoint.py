"""Read a decoder's weights from safetensors, one tensor at a time, after checking all of them.

Every fault that the files' headers can tell is found before the first tensor is read, and reported at
once. Pickled weights are refused: reading them can run code.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from services.worker.engine.config import ModelConfig
from services.worker.engine.errors import CheckpointError

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
IGNORABLE = re.compile(r"model\.vqmodel\.|.*\.rotary_emb\.inv_freq$")
"""The unused Chameleon image model that some published files carry, and a constant."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Checkpoint:
    """A checked set of files. ignored: names of known weights that the decoder does not need."""

    files: tuple[Path, ...]
    wanted: frozenset[str]
    ignored: tuple[str, ...]

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every wanted tensor with its public name; one file is open at a time."""
        for file in self.files:
            with safe_open(file, framework="pt") as shard:
                for name in shard.keys():  # noqa: SIM118  (a safetensors file is no mapping)
                    if name in self.wanted:
                        yield name, shard.get_tensor(name)


def expected_shapes(config: ModelConfig) -> dict[str, Shape]:
    """Public name to shape of every weight that the decoder needs."""
    hidden, vocabulary = config.hidden_size, config.vocab_size
    shapes: dict[str, Shape] = {
        "model.embed_tokens.weight": (vocabulary, hidden),
        "model.norm.weight": (hidden,),
    }
    if not config.tie_word_embeddings:
        shapes["lm_head.weight"] = (vocabulary, hidden)
    layer = _layer_shapes(config)
    for index in range(config.num_hidden_layers):
        shapes |= {f"model.layers.{index}.{name}": shape for name, shape in layer.items()}
    return shapes


def _layer_shapes(config: ModelConfig) -> dict[str, Shape]:
    hidden, inner = config.hidden_size, config.intermediate_size
    query = config.num_attention_heads * config.head_dim
    key = config.num_key_value_heads * config.head_dim
    norm = (config.model_parallel_size, config.head_dim)
    attention = {"q_proj": (query, hidden), "k_proj": (key, hidden), "v_proj": (key, hidden)}
    attention["o_proj"] = (hidden, query)
    feed_forward = {"gate_proj": (inner, hidden), "up_proj": (inner, hidden), "down_proj": (hidden, inner)}
    shapes: dict[str, Shape] = {
        "input_layernorm.weight": (hidden,),
        "post_attention_layernorm.weight": (hidden,),
    }
    for owner, maps, bias in (
        ("self_attn", attention, config.attention_bias),
        ("mlp", feed_forward, config.mlp_bias),
    ):
        for name, shape in maps.items():
            shapes[f"{owner}.{name}.weight"] = shape
            if bias:
                shapes[f"{owner}.{name}.bias"] = shape[:1]
    for name in ("q_norm", "k_norm"):
        shapes |= {f"self_attn.{name}.weight": norm, f"self_attn.{name}.bias": norm}
    return shapes


def open_checkpoint(folder: Path, config: ModelConfig) -> Checkpoint:
    """Check a folder's files against the config.

    Raises CheckpointError naming every missing file, unreadable file, missing, unknown or misshapen weight.
    """
    files = _weight_files(folder)
    found: dict[str, Shape] = {}
    for file in files:
        found |= _read_shapes(file)
    wanted = expected_shapes(config)
    # With tied embeddings a file may still carry the copy.
    tied = {"lm_head.weight"} if config.tie_word_embeddings else set[str]()
    ignored = {name for name in found if IGNORABLE.match(name)} | (tied & found.keys())
    faults = [
        *(f"missing {name}" for name in wanted if name not in found),
        *(f"unknown {name}" for name in found if name not in wanted and name not in ignored),
        *(
            f"{name} is {list(found[name])}, the config says {list(shape)}"
            for name, shape in wanted.items()
            if name in found and found[name] != shape
        ),
    ]
    if faults:
        raise CheckpointError(f"{folder} does not fit its config.json: {_in_short(faults)}")
    return Checkpoint(files, frozenset(wanted), tuple(sorted(ignored)))


def _weight_files(folder: Path) -> tuple[Path, ...]:
    index = folder / INDEX_FILE
    if not index.is_file():
        if (folder / SINGLE_FILE).is_file():
            return (folder / SINGLE_FILE,)
        raise CheckpointError(
            f"{folder} has neither {SINGLE_FILE} nor {INDEX_FILE}; pickled weights are refused"
        )
    try:
        weight_map: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        names = sorted(set(weight_map.values()))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{index} is no index of safetensors files") from error
    outside = [name for name in names if Path(name).name != name]
    missing = [name for name in names if name not in outside and not (folder / name).is_file()]
    if outside or missing:
        raise CheckpointError(
            f"{index} names files that are not in its folder: {_in_short(outside + missing)}"
        )
    return tuple(folder / name for name in names)


def _read_shapes(file: Path) -> dict[str, Shape]:
    try:
        with safe_open(file, framework="pt") as shard:
            return {name: tuple(shard.get_slice(name).get_shape()) for name in shard.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file} is damaged or cut short: {error}") from error


def _in_short(faults: list[str], most: int = 12) -> str:
    """The faults in one line; a long list is cut and counted."""
    shown = "; ".join(faults[:most])
    return shown if len(faults) <= most else f"{shown}; and {len(faults) - most} more"
