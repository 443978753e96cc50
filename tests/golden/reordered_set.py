"""A copy of the public fixtures with other token ids: image codes come before the special tokens.

Every id in the files is renumbered, every row or column of an id is moved with it, and the weights are split
into shards. The parity checks must give the same results.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from tests.support.models.checkpoint_files import write_shards

ID_LISTS = {
    *("ids", "id", "prompt", "prompt_ids", "image", "input_ids", "new_ids", "ids_given_to_decode"),
    *("head", "tail", "START", "END", "NEWLINE", "SEP", "GRID0", "IMG_FIRST", "IMG_LAST", "BOS_USED"),
}
"""Keys whose values, at any depth, are ids."""
FACTS = (
    "idmap.json",
    "generate/greedy.json",
    "layout/prompts.json",
    "layout/process_image_layout.json",
    "logits/cfg.json",
    "logits/constraint_topk.json",
    "sjd/sjd_processors.json",
    "sjd/sjd_trace.json",
)
SCORES = ("generate/first_steps_fp32.npz", "logits/cfg.npz", "logits/constraint_topk.npz")
WINDOWS = "sjd/sjd_processors.npz"
TENSORS = ("golden_transformer.safetensors", "sjd/sjd_trace.safetensors")
WEIGHTS = "transformer/model.safetensors"


def write_reordered_set(public: Path, folder: Path) -> Path:
    """Copy `public` into `folder` with other ids; returns `folder`."""
    shutil.copytree(public, folder)
    ids = json.loads((public / "idmap.json").read_text())
    order = new_order(ids["text_vocab"], ids["IMG_FIRST"], ids["IMG_LAST"] + 1, ids["vocab_size"])
    new_ids = np.argsort(order).tolist()
    for name in FACTS:
        rewrite_json(folder / name, new_ids)
    rewrite_tokenizer(folder / "transformer/tokenizer.json", new_ids)
    for name in SCORES:
        rewrite_arrays(folder / name, lambda _, array: array[..., order])
    rewrite_arrays(folder / WINDOWS, lambda key, array: moved_window(key, array, order))
    for name in TENSORS:
        rewrite_tensors(folder / name, order, torch.tensor(new_ids))
    shard_weights(folder, order)
    return folder


def new_order(first_special: int, first_code: int, end_of_codes: int, size: int) -> np.ndarray:
    """The old id of each new id."""
    parts = (range(first_special), range(first_code, end_of_codes), range(first_special, first_code))
    return np.array([*parts[0], *parts[1], *parts[2], *range(end_of_codes, size)])


def rewrite_json(file: Path, new_ids: list[int]) -> None:
    """Renumber all ids of a file. Numbers under other keys are not ids; those under "real" are public ids."""

    def renumbered(value: Any, key: str) -> Any:
        match value:
            case dict():
                return {
                    name: inner if name == "real" else renumbered(inner, name)
                    for name, inner in value.items()
                }
            case list():
                return [renumbered(inner, key) for inner in value]
            case int() if key in ID_LISTS and not isinstance(value, bool):
                return new_ids[value] if value < len(new_ids) else value
            case _:
                return value

    file.write_text(json.dumps(renumbered(json.loads(file.read_text()), "")))


def rewrite_tokenizer(file: Path, new_ids: list[int]) -> None:
    document = json.loads(file.read_text())
    for token in document["added_tokens"]:
        token["id"] = new_ids[token["id"]]
    file.write_text(json.dumps(document))


def rewrite_arrays(file: Path, change: Any) -> None:
    with np.load(file) as arrays:
        changed = {key: change(key, array) for key, array in arrays.items()}
    np.savez(file, **changed)


def moved_window(key: str, array: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Reorder the vocabulary axis of scores, or of masks, which are packed bits."""
    if key == "scores":
        return array[..., order]
    return np.packbits(np.unpackbits(array, axis=-1, count=len(order))[..., order], axis=-1)


def rewrite_tensors(file: Path, order: np.ndarray, new_ids: torch.Tensor) -> None:
    tensors = load_file(file)
    for key, tensor in tensors.items():
        if key.endswith("input_ids"):
            tensors[key] = new_ids[tensor]
        elif "logits" in key:
            tensors[key] = tensor[..., order].contiguous()
    save_file(tensors, file)


def shard_weights(folder: Path, order: np.ndarray) -> None:
    weights = load_file(folder / WEIGHTS)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        weights[name] = weights[name][order].contiguous()
    (folder / WEIGHTS).unlink()
    write_shards(folder / "transformer", weights)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = [entry for entry in manifest["files"] if entry["file"] != WEIGHTS]
    (folder / "manifest.json").write_text(json.dumps(manifest))
