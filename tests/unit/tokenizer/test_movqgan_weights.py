"""A checkpoint loads completely, or loading raises one clear error."""

import dataclasses
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from services.tokenizer.movqgan import MoVQGAN, load_movqgan, load_movqgan_with_report, save_movqgan
from services.tokenizer.movqgan.errors import (
    CheckpointError,
    CheckpointUnreadableError,
    MoVQGANConfigError,
    UnsafeCheckpointError,
    WeightsMismatchError,
)


class RunsACommand:
    """A pickle that would run a command if it was loaded."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("echo the pickle ran",)


@pytest.fixture
def checkpoint(small_model: MoVQGAN, tmp_path: Path) -> Path:
    """A checkpoint in the published layout: a plain state dict, and its configuration in another file."""
    path = tmp_path / "small.ckpt"
    torch.save(small_model.state_dict(), path)
    path.with_suffix(".json").write_text(json.dumps({"model_params": small_model.config.to_dict()}))
    return path


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, path)


def assert_same_weights(actual: MoVQGAN, expected: MoVQGAN) -> None:
    assert actual.config == expected.config
    torch.testing.assert_close(actual.state_dict(), expected.state_dict(), atol=0, rtol=0)


def test_a_state_dict_loads_with_the_configuration_beside_it(checkpoint: Path, small_model: MoVQGAN) -> None:
    model, report = load_movqgan_with_report(checkpoint)
    assert_same_weights(model, small_model)
    assert report.config_source == "file"
    assert report.left_overs == ()
    assert not model.training


def test_a_given_configuration_wins_over_the_file(checkpoint: Path, small_model: MoVQGAN) -> None:
    checkpoint.with_suffix(".json").write_text("{}")
    model, report = load_movqgan_with_report(checkpoint, config=small_model.config)
    assert_same_weights(model, small_model)
    assert report.config_source == "given"


def test_a_state_dict_loads_by_its_shapes_alone(small_model: MoVQGAN, tmp_path: Path) -> None:
    public = dataclasses.replace(small_model.config, ch=32, norm_groups=32)
    original = MoVQGAN(public)
    torch.save(original.state_dict(), tmp_path / "bare.ckpt")
    model, report = load_movqgan_with_report(tmp_path / "bare.ckpt")
    assert_same_weights(model, original)
    assert report.config_source == "inferred"


def test_a_folder_reads_back_what_was_saved(small_model: MoVQGAN, tmp_path: Path) -> None:
    save_movqgan(small_model, tmp_path / "new" / "movqgan")
    assert_same_weights(load_movqgan(tmp_path / "new" / "movqgan"), small_model)


def test_a_saved_folder_in_double_precision_loads_as_fp32(small_model: MoVQGAN, tmp_path: Path) -> None:
    save_movqgan(small_model.double(), tmp_path)
    assert {weight.dtype for weight in load_movqgan(tmp_path).parameters()} == {torch.float32}
    in_half = load_movqgan(tmp_path, dtype=torch.float16)
    assert {weight.dtype for weight in in_half.parameters()} == {torch.float16}


def test_a_loaded_model_outlives_its_file(checkpoint: Path, small_model: MoVQGAN) -> None:
    model = load_movqgan(checkpoint)
    checkpoint.write_bytes(bytes(checkpoint.stat().st_size))
    assert_same_weights(model, small_model)


def test_left_overs_of_training_are_passed_over_and_reported(checkpoint: Path) -> None:
    left_overs = (
        "loss.logvar",
        "loss.discriminator.main.0.weight",
        "ema_encoder.decay",
        "ema_post_quant_conv.weight",
        "colorize",
    )
    rewrite(checkpoint, lambda state: state.update(dict.fromkeys(left_overs, torch.zeros(1))))
    assert load_movqgan_with_report(checkpoint)[1].left_overs == left_overs


def test_every_mismatch_is_named_in_one_error(checkpoint: Path) -> None:
    def damage(state: dict[str, Any]) -> None:
        del state["quant_conv.bias"], state["encoder.conv_in.bias"]
        state["lossless.weight"] = torch.zeros(1)
        state["quantize.embedding.weight"] = torch.zeros(63, 4)

    rewrite(checkpoint, damage)
    with pytest.raises(WeightsMismatchError) as caught:
        load_movqgan(checkpoint)
    assert set(caught.value.missing) == {"quant_conv.bias", "encoder.conv_in.bias"}
    assert caught.value.unexpected == ("lossless.weight",)
    assert caught.value.wrong_shape == {"quantize.embedding.weight": ((63, 4), (64, 4))}
    for name in ("quant_conv.bias", "encoder.conv_in.bias", "lossless.weight", "(63, 4), not (64, 4)"):
        assert name in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_truncated_checkpoint_ends_in_one_clear_error(
    checkpoint: Path, small_model: MoVQGAN, share: float, zipped: bool
) -> None:
    torch.save(small_model.state_dict(), checkpoint, _use_new_zipfile_serialization=zipped)
    data = checkpoint.read_bytes()
    checkpoint.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointUnreadableError, match=r"small\.ckpt"):
        load_movqgan(checkpoint)


def test_a_legacy_checkpoint_loads(checkpoint: Path, small_model: MoVQGAN) -> None:
    torch.save(small_model.state_dict(), checkpoint, _use_new_zipfile_serialization=False)
    assert_same_weights(load_movqgan(checkpoint), small_model)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_safetensors_file_ends_in_one_clear_error(
    small_model: MoVQGAN, tmp_path: Path, share: float
) -> None:
    save_movqgan(small_model, tmp_path)
    data = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointUnreadableError, match=r"model\.safetensors"):
        load_movqgan(tmp_path)


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_an_arbitrary_pickle_is_refused_and_does_not_run(
    checkpoint: Path, capfd: pytest.CaptureFixture[str], writer: str
) -> None:
    content = {"quant_conv.bias": RunsACommand()}
    if writer == "torch":
        torch.save(content, checkpoint)
    else:
        checkpoint.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(UnsafeCheckpointError) as caught:
        load_movqgan(checkpoint)
    assert caught.value.code == "movqgan_checkpoint_unsafe"
    assert "the pickle ran" not in capfd.readouterr().out


@pytest.mark.parametrize("content", [{"state_dict": {"a": torch.zeros(1)}}, [torch.zeros(1)]])
def test_something_else_than_a_bare_state_dict_is_refused(checkpoint: Path, content: object) -> None:
    torch.save(content, checkpoint)
    with pytest.raises(CheckpointError, match="state dict"):
        load_movqgan(checkpoint)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointUnreadableError, match=r"absent\.ckpt"):
        load_movqgan(tmp_path / "absent.ckpt")


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_an_unreadable_configuration_is_named(checkpoint: Path, text: str) -> None:
    checkpoint.with_suffix(".json").write_bytes(text.encode("latin-1"))
    with pytest.raises(MoVQGANConfigError, match=r"small\.json"):
        load_movqgan(checkpoint)


def test_a_folder_without_configuration_is_refused(small_model: MoVQGAN, tmp_path: Path) -> None:
    save_movqgan(small_model, tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(MoVQGANConfigError, match=r"config\.json"):
        load_movqgan(tmp_path)
