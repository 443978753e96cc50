"""A model folder is read weight by weight, or refused with one error before any weight is read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from services.worker.engine.errors import CheckpointError
from services.worker.engine.loading.checkpoint import Checkpoint, expected_shapes, open_checkpoint
from services.worker.engine.model.config import ModelConfig
from tests.support.models.checkpoint_files import GOLDEN, golden_document, random_weights, write_checkpoint

MAPS = GOLDEN.parent / "maps"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
FIRST, SECOND, THIRD = (f"model-{number:05d}-of-00003.safetensors" for number in (1, 2, 3))


def rewrite(file: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    """Load a safetensors file, change the weights in place, and write it again."""
    weights = {name: weight.clone() for name, weight in load_file(file).items()}
    change(weights)
    save_file(weights, file)


def rewrite_index(folder: Path, **places: str) -> None:
    document = json.loads((folder / INDEX).read_text())
    document["weight_map"] |= {name.replace("__", "."): place for name, place in places.items()}
    (folder / INDEX).write_text(json.dumps(document))


def read_all(checkpoint: Checkpoint) -> dict[str, Tensor]:
    return {name: weight for name, _, weight in checkpoint.tensors()}


def refusal(folder: Path, config: ModelConfig) -> str:
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(folder, config)
    return str(error.value)


def test_names_and_shapes_are_those_of_the_public_7b_model():
    public = json.loads((MAPS / "chameleon_7b_shapes.json").read_text())
    config = ModelConfig.from_dict(public["config_used"] | {"model_type": "chameleon"})
    assert expected_shapes(config) == {name: tuple(shape) for name, shape in public["shapes"].items()}


def test_the_public_checkpoint_is_read_and_its_image_model_passed_over():
    checkpoint = open_checkpoint(GOLDEN, ModelConfig.from_folder(GOLDEN))
    stored = load_file(GOLDEN / WEIGHTS)
    read = read_all(checkpoint)
    assert all(torch.equal(weight, stored[name]) for name, weight in read.items())
    assert set(checkpoint.ignored) == stored.keys() - read.keys()
    assert all(name.startswith("model.vqmodel.") for name in checkpoint.ignored)


@pytest.mark.parametrize("sharded", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_weight_comes_once_as_it_was_stored(tmp_path: Path, sharded: bool, dtype: torch.dtype):
    config = write_checkpoint(tmp_path, seed=3, sharded=sharded, dtype=dtype)
    checkpoint = open_checkpoint(tmp_path, config)
    pairs = [(name, weight) for name, _, weight in checkpoint.tensors()]
    written = random_weights(config, 3, dtype)
    assert sorted(name for name, _ in pairs) == sorted(written)
    for name, weight in pairs:
        assert weight.dtype is dtype
        assert torch.equal(weight, written[name])
    assert checkpoint.total_bytes == sum(weight.nbytes for _, weight in pairs)
    assert checkpoint.ignored == ()


@pytest.mark.parametrize(
    ("overrides", "name", "shape"),
    [
        ({"attention_bias": True}, "model.layers.2.self_attn.o_proj.bias", (64,)),
        ({"attention_bias": True, "num_key_value_heads": 2}, "model.layers.2.self_attn.v_proj.bias", (32,)),
        ({"mlp_bias": True}, "model.layers.0.mlp.up_proj.bias", (176,)),
        ({"mlp_bias": True}, "model.layers.0.mlp.down_proj.bias", (64,)),
        ({"num_key_value_heads": 2}, "model.layers.1.self_attn.k_proj.weight", (32, 64)),
        ({"model_parallel_size": 2}, "model.layers.1.self_attn.q_norm.weight", (2, 16)),
        ({"model_parallel_size": 2}, "model.layers.1.self_attn.k_norm.bias", (2, 16)),
    ],
)
def test_variants_of_the_architecture_are_read(
    tmp_path: Path, overrides: dict[str, Any], name: str, shape: tuple[int, ...]
):
    config = write_checkpoint(tmp_path, **overrides)
    read = read_all(open_checkpoint(tmp_path, config))
    assert read[name].shape == shape


def test_biases_belong_to_their_own_switch():
    both = expected_shapes(ModelConfig.from_dict(golden_document()))
    assert not [name for name in both if name.endswith("proj.bias")]
    attention = expected_shapes(ModelConfig.from_dict(golden_document() | {"attention_bias": True}))
    assert len(attention) - len(both) == 3 * 4
    mlp = expected_shapes(ModelConfig.from_dict(golden_document() | {"mlp_bias": True}))
    assert len(mlp) - len(both) == 3 * 3


def test_a_tied_checkpoint_needs_no_head(tmp_path: Path):
    config = write_checkpoint(tmp_path, tie_word_embeddings=True)
    assert "lm_head.weight" not in read_all(open_checkpoint(tmp_path, config))


def test_the_copy_of_the_embedding_in_a_tied_checkpoint_is_passed_over(tmp_path: Path):
    config = write_checkpoint(tmp_path, tie_word_embeddings=True)
    rewrite(tmp_path / WEIGHTS, lambda w: w.update({"lm_head.weight": torch.zeros(656, 64)}))
    checkpoint = open_checkpoint(tmp_path, config)
    assert checkpoint.ignored == ("lm_head.weight",)
    assert "lm_head.weight" not in read_all(checkpoint)


@pytest.mark.parametrize(
    "name", ["model.rotary_emb.inv_freq", "model.layers.1.self_attn.rotary_emb.inv_freq"]
)
def test_stored_rotary_frequencies_are_passed_over(tmp_path: Path, name: str):
    config = write_checkpoint(tmp_path)
    rewrite(tmp_path / WEIGHTS, lambda w: w.update({name: torch.ones(8)}))
    checkpoint = open_checkpoint(tmp_path, config)
    assert checkpoint.ignored == (name,)
    assert len(list(checkpoint.tensors())) == len(expected_shapes(config))


def test_weights_do_not_change_when_their_file_does(tmp_path: Path):
    config = write_checkpoint(tmp_path, seed=1)
    read = read_all(open_checkpoint(tmp_path, config))
    size = (tmp_path / WEIGHTS).stat().st_size
    with (tmp_path / WEIGHTS).open("r+b") as file:
        file.write(bytes(size))
    written = random_weights(config, 1, torch.float32)
    assert all(torch.equal(weight, written[name]) for name, weight in read.items())


def test_a_missing_weight_is_named(tmp_path: Path):
    config = write_checkpoint(tmp_path)
    rewrite(tmp_path / WEIGHTS, lambda w: w.pop("model.norm.weight"))
    assert "missing weights: model.norm.weight" in refusal(tmp_path, config)


def test_an_unknown_weight_is_named(tmp_path: Path):
    config = write_checkpoint(tmp_path)
    rewrite(tmp_path / WEIGHTS, lambda w: w.update({"model.layers.0.self_attn.lora_A.weight": torch.ones(1)}))
    assert "unknown weights: model.layers.0.self_attn.lora_A.weight" in refusal(tmp_path, config)


def test_a_wrong_shape_is_named_with_the_right_one(tmp_path: Path):
    config = write_checkpoint(tmp_path)
    rewrite(tmp_path / WEIGHTS, lambda w: w.update({"lm_head.weight": torch.ones(64, 656)}))
    assert "shape [64, 656] instead of [656, 64]: lm_head.weight" in refusal(tmp_path, config)


def test_head_norms_of_another_model_parallel_size_are_refused(tmp_path: Path):
    write_checkpoint(tmp_path, model_parallel_size=2)
    config = ModelConfig.from_dict(golden_document())
    message = refusal(tmp_path, config)
    assert "shape [2, 16] instead of [1, 16]: model.layers.{0-2}.self_attn.k_norm.bias" in message


def test_weights_that_are_no_plain_floats_are_refused(tmp_path: Path):
    config = write_checkpoint(tmp_path)
    rewrite(tmp_path / WEIGHTS, lambda w: w.update({"lm_head.weight": w["lm_head.weight"].to(torch.int8)}))
    assert "stored as I8, which is not supported: lm_head.weight" in refusal(tmp_path, config)


def test_all_that_is_wrong_is_named_in_one_error(tmp_path: Path):
    config = write_checkpoint(tmp_path, sharded=True)
    rewrite(tmp_path / FIRST, lambda w: w.update({"model.embed_tokens.weight": torch.ones(2, 2)}))
    (tmp_path / SECOND).write_bytes((tmp_path / SECOND).read_bytes()[:-1])
    (tmp_path / THIRD).unlink()
    rewrite_index(tmp_path, surplus=FIRST)
    message = refusal(tmp_path, config)
    assert "shape [2, 2] instead of [656, 64]: model.embed_tokens.weight" in message
    assert f"{SECOND} is damaged or truncated" in message
    assert f"{THIRD} is missing" in message
    assert "unknown weights: surplus" in message
    assert "missing weights" not in message


def test_the_same_weight_of_many_layers_is_named_once(tmp_path: Path):
    write_checkpoint(tmp_path)
    config = ModelConfig.from_dict(golden_document() | {"num_hidden_layers": 12})
    message = refusal(tmp_path, config)
    assert "model.layers.{3-11}.mlp.up_proj.weight" in message
    assert message.count("mlp.up_proj.weight") == 1


@pytest.mark.parametrize("cut", [0, 4, 100, -1])
def test_a_truncated_file_ends_in_one_clear_error(tmp_path: Path, cut: int):
    config = write_checkpoint(tmp_path)
    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:cut])
    message = refusal(tmp_path, config)
    assert "model.safetensors is damaged or truncated" in message
    assert "missing weights" not in message


def test_a_file_of_another_format_is_refused(tmp_path: Path):
    config = write_checkpoint(tmp_path)
    (tmp_path / WEIGHTS).write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "model.safetensors is damaged or truncated" in refusal(tmp_path, config)


def test_shards_without_their_indexed_weights_are_named(tmp_path: Path):
    config = write_checkpoint(tmp_path, sharded=True)
    rewrite(tmp_path / FIRST, lambda w: w.pop("model.embed_tokens.weight"))
    expected = f"the index lists weights that {FIRST} lacks: model.embed_tokens.weight"
    assert expected in refusal(tmp_path, config)


def test_a_weight_in_two_shards_is_refused(tmp_path: Path):
    config = write_checkpoint(tmp_path, sharded=True)
    rewrite(tmp_path / FIRST, lambda w: w.update({"lm_head.weight": torch.ones(656, 64)}))
    expected = f"{FIRST} has weights that the index does not list: lm_head.weight"
    assert expected in refusal(tmp_path, config)


@pytest.mark.parametrize("place", ["../model.safetensors", "/etc/model.safetensors", "sub/model.safetensors"])
def test_an_index_may_not_lead_out_of_the_folder(tmp_path: Path, place: str):
    folder = tmp_path / "model"
    config = write_checkpoint(folder, sharded=True)
    rewrite_index(folder, lm_head__weight=place)
    assert f"names {place!r}, which is not a file of this folder" in refusal(folder, config)


def test_shards_that_are_links_are_read(tmp_path: Path):
    """In the cache of the public hub every file of a model is a link to a blob."""
    config = write_checkpoint(tmp_path / "blobs", sharded=True)
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for file in (tmp_path / "blobs").iterdir():
        (snapshot / file.name).symlink_to(Path("../blobs") / file.name)
    assert len(list(open_checkpoint(snapshot, config).tensors())) == len(expected_shapes(config))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "cannot be read"),
        ("[]", "has no weight_map"),
        ('{"weight_map": []}', "has no weight_map"),
        ('{"weight_map": {"lm_head.weight": 3}}', "not all file names"),
    ],
)
def test_an_unreadable_index_is_refused(tmp_path: Path, content: str, fault: str):
    config = write_checkpoint(tmp_path, sharded=True)
    (tmp_path / INDEX).write_text(content)
    assert fault in refusal(tmp_path, config)


def test_pickles_are_refused_with_the_reason(tmp_path: Path):
    config = write_checkpoint(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    torch.save({}, tmp_path / "pytorch_model.bin")
    message = refusal(tmp_path, config)
    assert "neither model.safetensors nor model.safetensors.index.json" in message
    assert "pytorch_model.bin is not read, because loading a pickle can run code" in message


def test_an_empty_folder_is_refused(tmp_path: Path):
    config = ModelConfig.from_dict(golden_document())
    assert refusal(tmp_path, config).endswith("neither model.safetensors nor model.safetensors.index.json")


def test_shards_are_opened_one_after_the_other(tmp_path: Path):
    config = write_checkpoint(tmp_path, sharded=True)
    checkpoint = open_checkpoint(tmp_path, config)
    tensors = checkpoint.tensors()
    next(tensors)
    (tmp_path / SECOND).unlink()
    with pytest.raises(CheckpointError, match=f"{SECOND} is missing"):
        list(tensors)
