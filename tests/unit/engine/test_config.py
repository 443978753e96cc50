"""A public config.json becomes a configuration, or one error that lists every fault."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from services.worker.engine.errors import CheckpointError
from services.worker.engine.model.config import ModelConfig
from tests.support.models.checkpoint_files import GOLDEN, golden_document


def read(**entries: object) -> ModelConfig:
    return ModelConfig.from_dict(golden_document() | entries)


def read_without(*names: str) -> ModelConfig:
    return ModelConfig.from_dict({k: v for k, v in golden_document().items() if k not in names})


def test_the_public_file_is_read_whole():
    assert ModelConfig.from_folder(GOLDEN) == ModelConfig(
        vocab_size=656,
        hidden_size=64,
        intermediate_size=176,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=10240,
        model_parallel_size=1,
        rope_theta=10000.0,
        rope_scaling_factor=1.0,
        rms_norm_eps=1e-5,
        swin_norm=False,
        attention_bias=False,
        mlp_bias=False,
        tie_word_embeddings=False,
        mask_image_logits=False,
        torch_dtype=torch.float32,
    )


def test_head_width_follows_from_hidden_size_and_heads():
    assert read().head_dim == 16


def test_options_are_read():
    config = read(swin_norm=True, attention_bias=True, mlp_bias=True, tie_word_embeddings=True)
    assert (config.swin_norm, config.attention_bias, config.mlp_bias) == (True, True, True)
    assert config.tie_word_embeddings
    assert read(mask_image_logits=True).mask_image_logits


def test_absent_and_null_entries_mean_the_public_defaults():
    optional = ("model_parallel_size", "rope_theta", "swin_norm", "attention_bias", "torch_dtype")
    assert read_without(*optional) == read() == read(**dict.fromkeys(optional))


@pytest.mark.parametrize("config", [read_without("num_key_value_heads"), read(num_key_value_heads=None)])
def test_without_a_number_of_key_heads_every_query_head_has_its_own(config: ModelConfig):
    assert config.num_key_value_heads == 4


@pytest.mark.parametrize(
    ("entries", "factor"),
    [
        ({"rope_scaling": None}, 1.0),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, 2.0),
        ({"rope_scaling": {"rope_type": "linear", "factor": 4}}, 4),
        ({"rope_scaling": {"rope_type": "default"}}, 1.0),
        ({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}}, 2.0),
    ],
)
def test_linear_rope_scaling_is_read_in_every_public_spelling(entries: dict[str, object], factor: float):
    assert read(**entries).rope_scaling_factor == factor


def test_rope_parameters_carry_the_base_of_newer_files():
    assert read(rope_theta=None, rope_parameters={"rope_theta": 5e5}).rope_theta == 5e5


@pytest.mark.parametrize("kind", ["dynamic", "yarn", "llama3"])
def test_other_rope_scaling_is_refused_by_name(kind: str):
    with pytest.raises(CheckpointError, match=f"type '{kind}'; only 'linear'"):
        read(rope_scaling={"type": kind, "factor": 2.0})


@pytest.mark.parametrize("factor", [None, 0, -2.0, "2", True, float("nan")])
def test_linear_rope_scaling_needs_a_positive_factor(factor: object):
    with pytest.raises(CheckpointError, match=r"rope_scaling_factor is .* a positive number"):
        read(rope_scaling={"type": "linear", "factor": factor})


def test_the_dtype_is_read_in_both_public_spellings():
    assert read(torch_dtype="bfloat16").torch_dtype is torch.bfloat16
    assert read(dtype="float16").torch_dtype is torch.float16


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ({"model_type": "llama"}, "model_type is 'llama', not 'chameleon'"),
        ({"model_type": None}, "model_type is None"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"hidden_size": None}, "hidden_size is missing"),
        ({"hidden_size": 66}, "num_attention_heads 4 does not divide hidden_size 66"),
        ({"hidden_size": 60}, "the head size is 15"),
        ({"num_key_value_heads": 3}, "num_key_value_heads 3 does not divide num_attention_heads 4"),
        ({"model_parallel_size": 3}, "model_parallel_size 3 does not divide num_attention_heads 4"),
        (
            {"model_parallel_size": 4, "num_key_value_heads": 2},
            "model_parallel_size 4 does not divide num_key_value_heads 2",
        ),
        ({"head_dim": 32}, "head_dim is 32, not hidden_size / num_attention_heads"),
        ({"vocab_size": 0}, "vocab_size is 0; it must be a positive integer"),
        ({"num_hidden_layers": "3"}, "num_hidden_layers is '3'"),
        ({"num_hidden_layers": True}, "num_hidden_layers is True"),
        ({"intermediate_size": 176.0}, "intermediate_size is 176.0"),
        ({"rms_norm_eps": -1e-5}, "rms_norm_eps is -1e-05; it must be a positive number"),
        ({"swin_norm": "yes"}, "swin_norm is 'yes'; it must be true or false"),
        ({"torch_dtype": "int8"}, "torch_dtype is 'int8'"),
        ({"rope_scaling": "linear"}, "rope_scaling is of type None"),
        ({"quantization_config": {"load_in_8bit": True}}, "weights are quantised"),
    ],
)
def test_a_config_that_no_model_can_be_built_from_is_refused(entries: dict[str, object], fault: str):
    with pytest.raises(CheckpointError) as refusal:
        read(**entries)
    assert fault in str(refusal.value)


def test_every_fault_is_named_in_one_error():
    with pytest.raises(CheckpointError) as refusal:
        read(model_type="llama", vocab_size=None, num_key_value_heads=3, swin_norm=1, hidden_act="relu")
    message = str(refusal.value)
    for name in ("model_type", "vocab_size", "num_key_value_heads", "swin_norm", "hidden_act"):
        assert name in message


def test_a_changed_copy_is_checked_as_a_file_is():
    with pytest.raises(CheckpointError, match="model_parallel_size 3 does not divide"):
        dataclasses.replace(read(), model_parallel_size=3)


@pytest.mark.parametrize(
    ("content", "fault"),
    [(None, "cannot be read"), ("{", "cannot be read"), ("[]", "is not a JSON object")],
)
def test_a_folder_without_a_readable_config_is_refused(tmp_path: Path, content: str | None, fault: str):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=f"config.json {fault}"):
        ModelConfig.from_folder(tmp_path)


def test_a_file_of_any_order_and_with_more_entries_gives_the_same_model(tmp_path: Path):
    document = dict(reversed(golden_document().items())) | {"use_cache": False, "dropout": 0.5}
    (tmp_path / "config.json").write_text(json.dumps(document))
    assert ModelConfig.from_folder(tmp_path) == read()
