"""Check the weights of a published model folder, then read them one by one.

The checks read only the headers of the files: a folder that cannot be loaded is refused at once, with one
error that lists every fault.
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from safetensors import SafetensorError, safe_open
from torch import Tensor

from services.worker.engine.errors import CheckpointError
from services.worker.engine.model.config import ModelConfig

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"

IGNORABLE = re.compile(
    r"model\.vqmodel\."  # Chameleon's own image encoder, replaced by MoVQGAN in a separate file
    r"|model\.(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq$"  # computed from rope_theta
)
"""Weights of the public layout that the decoder does not use; every other extra weight is an error."""

PIECE_BYTES = 256 << 20
"""Bytes of a file that are mapped into memory at a time."""

_LAYER = re.compile(r"^model\.layers\.(\d+)\.")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
"""Stored types that are supported; integers and 8-bit floats would need scales."""

Shape = tuple[int, ...]


def expected_shapes(config: ModelConfig) -> dict[str, Shape]:
    """Public name and shape of every weight in a checkpoint of this configuration.

    The q/k norms are [model_parallel_size, head_dim]. A tied checkpoint has no `lm_head.weight`.
    """
    hidden, inner, head_dim = config.hidden_size, config.intermediate_size, config.head_dim
    key_size = config.num_key_value_heads * head_dim
    shapes: dict[str, Shape] = {"model.embed_tokens.weight": (config.vocab_size, hidden)}
    for layer in range(config.num_hidden_layers):
        prefix = f"model.layers.{layer}."
        for projection, out_size, in_size, bias in (
            ("self_attn.q_proj", hidden, hidden, config.attention_bias),
            ("self_attn.k_proj", key_size, hidden, config.attention_bias),
            ("self_attn.v_proj", key_size, hidden, config.attention_bias),
            ("self_attn.o_proj", hidden, hidden, config.attention_bias),
            ("mlp.gate_proj", inner, hidden, config.mlp_bias),
            ("mlp.up_proj", inner, hidden, config.mlp_bias),
            ("mlp.down_proj", hidden, inner, config.mlp_bias),
        ):
            shapes[f"{prefix}{projection}.weight"] = (out_size, in_size)
            if bias:
                shapes[f"{prefix}{projection}.bias"] = (out_size,)
        for norm in ("self_attn.q_norm", "self_attn.k_norm"):
            shapes[f"{prefix}{norm}.weight"] = (config.model_parallel_size, head_dim)
            shapes[f"{prefix}{norm}.bias"] = (config.model_parallel_size, head_dim)
        shapes[f"{prefix}input_layernorm.weight"] = (hidden,)
        shapes[f"{prefix}post_attention_layernorm.weight"] = (hidden,)
    shapes["model.norm.weight"] = (hidden,)
    if not config.tie_word_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, hidden)
    return shapes


Convert = Callable[[str, Tensor], Tensor]
"""Called with the name of a weight and a view into a mapped file, which is closed soon; returns a copy."""


def own_copy(name: str, stored: Tensor) -> Tensor:
    """Copy the weight unchanged, so that the model does not change when its file does."""
    del name
    return stored.clone()


@dataclass(frozen=True)
class Checkpoint:
    """A folder whose weights are complete and match the configuration.

    shards: names of the decoder's weights in each file, in the order of the file.
    ignored: weights in the files that the decoder does not use, sorted.
    sizes: stored bytes of each of the decoder's weights.
    """

    shards: Mapping[Path, tuple[str, ...]]
    ignored: tuple[str, ...]
    sizes: Mapping[str, int]

    @property
    def total_bytes(self) -> int:
        """Stored bytes of all weights."""
        return sum(self.sizes.values())

    def tensors(self, convert: Convert = own_copy) -> Iterator[tuple[str, Path, Tensor]]:
        """Read every weight of `expected_shapes` once: its name, its file and the result of `convert`.

        One file is open at a time, and at most PIECE_BYTES of it, or one weight, are mapped.
        Raises CheckpointError if a file was removed or damaged after the check.
        """
        for file, names in self.shards.items():
            for piece in self._pieces(names):
                with _open_shard(file) as shard:
                    for name in piece:
                        yield name, file, convert(name, shard.get_tensor(name))

    def _pieces(self, names: tuple[str, ...]) -> Iterator[list[str]]:
        """Split a file's weights into pieces of PIECE_BYTES: pages stay mapped until the file is closed."""
        piece: list[str] = []
        for name in names:
            if piece and sum(self.sizes[each] for each in piece) + self.sizes[name] > PIECE_BYTES:
                yield piece
                piece = []
            piece.append(name)
        if piece:
            yield piece


def open_checkpoint(folder: Path, config: ModelConfig) -> Checkpoint:
    """Check `model.safetensors`, or the shards of its index, against the configuration.

    Raises CheckpointError that lists every fault. No weight is read.
    """
    expected = expected_shapes(config)
    survey = _survey(folder)
    extra = survey.placement.keys() - expected.keys()
    ignored = {name for name in extra if _is_ignorable(name, config)}
    stored = {name: form for header in survey.headers.values() for name, form in header.items()}
    present = {name: stored[name] for name in expected if name in stored}
    faults = [
        *survey.faults,
        *_named("missing weights:", expected.keys() - survey.placement.keys()),
        *_named("unknown weights:", extra - ignored),
        *_form_faults(present, expected),
    ]
    if faults:
        raise CheckpointError(f"{folder} cannot be loaded: " + "; ".join(faults))
    return Checkpoint(
        shards={
            folder / file: tuple(name for name in header if name in expected)
            for file, header in survey.headers.items()
        },
        ignored=tuple(sorted(ignored)),
        sizes={name: math.prod(shape) * _ITEM_BYTES[dtype] for name, (shape, dtype) in present.items()},
    )


_Header = dict[str, tuple[Shape, str]]
"""Shape and stored type of each weight of one file, in the order of the file."""


@dataclass(frozen=True)
class _Survey:
    """Contents of a folder. placement: file of each weight. headers: headers of the readable files."""

    placement: Mapping[str, str]
    headers: Mapping[str, _Header]
    faults: list[str]


def _survey(folder: Path) -> _Survey:
    """Read every header. As in transformers, a single file takes precedence over an index."""
    if (folder / WEIGHTS_FILE).is_file():
        header = _read_header(folder / WEIGHTS_FILE)
        return _Survey(dict.fromkeys(header, WEIGHTS_FILE), {WEIGHTS_FILE: header}, [])
    placement = _read_index(folder)
    headers: dict[str, _Header] = {}
    faults: list[str] = []
    for file in sorted(set(placement.values())):
        # check the name, not the target: published folders may contain symbolic links to other places
        if Path(file).name != file:
            faults.append(f"{INDEX_FILE} names {file!r}, which is not a file of this folder")
            continue
        try:
            headers[file] = _read_header(folder / file)
        except CheckpointError as error:
            faults.append(str(error))
            continue
        listed = {name for name, place in placement.items() if place == file}
        faults += _named(f"the index lists weights that {file} lacks:", listed - headers[file].keys())
        faults += _named(f"{file} has weights that the index does not list:", headers[file].keys() - listed)
    return _Survey(placement, headers, faults)


def _read_index(folder: Path) -> dict[str, str]:
    """Read `weight_map` of the index: the file of each weight. Raises CheckpointError."""
    file = folder / INDEX_FILE
    if not file.is_file():
        raise CheckpointError(_no_weights_message(folder))
    try:
        document: object = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{INDEX_FILE} cannot be read: {error}") from error
    placement = cast("dict[str, object]", document).get("weight_map") if isinstance(document, dict) else None
    if not isinstance(placement, dict):
        raise CheckpointError(f"{INDEX_FILE} has no weight_map")
    placement = cast("dict[str, object]", placement)
    if not all(isinstance(place, str) for place in placement.values()):
        raise CheckpointError(f"{INDEX_FILE} has a weight_map whose values are not all file names")
    return cast("dict[str, str]", placement)


def _no_weights_message(folder: Path) -> str:
    message = f"{folder} has neither {WEIGHTS_FILE} nor {INDEX_FILE}"
    pickles = sorted(file.name for pattern in _PICKLES for file in folder.glob(pattern))
    if pickles:
        message += f"; {', '.join(pickles)} is not read, because loading a pickle can run code: "
        message += "save the model as safetensors"
    return message


def _read_header(file: Path) -> _Header:
    with _open_shard(file) as shard:
        slices = {name: shard.get_slice(name) for name in cast("list[str]", shard.offset_keys())}
        return {name: (tuple(part.get_shape()), part.get_dtype()) for name, part in slices.items()}


@contextmanager
def _open_shard(file: Path) -> Generator[safe_open]:
    """Open one safetensors file; every error, also while it is read, becomes a CheckpointError.

    safetensors compares the header with the file's size, which detects every truncated copy.
    """
    try:
        with safe_open(file, framework="pt") as shard:
            yield shard
    except FileNotFoundError as error:
        raise CheckpointError(f"{file.name} is missing") from error
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file.name} is damaged or truncated: {error}") from error


def _is_ignorable(name: str, config: ModelConfig) -> bool:
    is_tied_copy = config.tie_word_embeddings and name == "lm_head.weight"
    return is_tied_copy or IGNORABLE.match(name) is not None


def _form_faults(present: _Header, expected: Mapping[str, Shape]) -> list[str]:
    """Wrong shapes and stored types; weights with the same fault are listed together."""
    names_by_fault: defaultdict[str, list[str]] = defaultdict(list)
    for name, (shape, dtype) in present.items():
        if shape != expected[name]:
            names_by_fault[f"shape {list(shape)} instead of {list(expected[name])}:"].append(name)
        if dtype not in _ITEM_BYTES:
            names_by_fault[f"stored as {dtype}, which is not supported:"].append(name)
    return [fault for title, names in names_by_fault.items() for fault in _named(title, names)]


def _named(title: str, names: Iterable[str]) -> list[str]:
    """One fault that lists all names, or none; names that differ only in their layer are written as one.

    A model has hundreds of weights, and most faults concern the same weight of many layers.
    """
    layers_by_rest: defaultdict[str, list[int]] = defaultdict(list)
    ungrouped: list[str] = []
    for name in sorted(names):
        layer = _LAYER.match(name)
        if layer:
            layers_by_rest[name[layer.end() :]].append(int(layer[1]))
        else:
            ungrouped.append(name)
    grouped = [f"model.layers.{_ranges(layers)}.{rest}" for rest, layers in layers_by_rest.items()]
    return [f"{title} {', '.join(ungrouped + grouped)}"] if ungrouped or grouped else []


def _ranges(numbers: list[int]) -> str:
    """Numbers as text: `3` for one number, else for example `{0-2,5}`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    text = ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return text if len(numbers) == 1 else f"{{{text}}}"
