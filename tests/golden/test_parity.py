"""The parity command passes on the public fixtures, and finds every change in them."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from benchmarks.parity.__main__ import main
from benchmarks.parity.comparison import Comparison
from benchmarks.parity.fixture_set import FixtureSet
from benchmarks.parity.generation_checks import check_first_steps, check_generated_pictures, check_greedy
from benchmarks.parity.image_tokenizer_checks import check_movqgan
from benchmarks.parity.jacobi_checks import check_trace
from benchmarks.parity.picture_checks import check_crop_table, check_cropped_pixels, check_whitened_modes
from benchmarks.parity.processor_checks import (
    check_guidance,
    check_public_ids,
    check_single_tokens,
    check_windows,
)
from benchmarks.parity.prompt_checks import check_prompts, check_vocabulary
from benchmarks.parity.transformer_checks import check_transformer
from tests.golden.reordered_set import write_reordered_set
from tests.support.models.checkpoint_files import write_shards

PUBLIC = Path(__file__).parent / "public"
Check = Callable[[FixtureSet], Iterator[Comparison]]


def copy_of_public(folder: Path) -> Path:
    return Path(shutil.copytree(PUBLIC, folder / "set"))


def change_json(file: Path, change: Callable[[Any], None]) -> None:
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


def change_tensor(file: Path, key: str, amount: float) -> None:
    """Add `amount` to the last entry of a tensor."""
    tensors = load_file(file)
    tensors[key].view(-1)[-1] += amount
    save_file(tensors, file)


def change_array(file: Path, key: str) -> None:
    """Set the largest entry of an array to zero."""
    with np.load(file) as arrays:
        changed = dict(arrays)
    flat = changed[key].reshape(-1)
    flat[int(flat.argmax())] = 0
    np.savez(file, **changed)


def change_pixel(file: Path) -> None:
    levels = np.array(Image.open(file))
    levels[0, 0, 0] ^= 0x80
    Image.fromarray(levels).save(file)


def test_the_public_set_passes_as_a_whole(capsys: pytest.CaptureFixture[str]):
    assert main([str(PUBLIC)]) == 0
    assert "MISS" not in capsys.readouterr().out


def test_a_set_with_other_ids_and_shards_passes_as_a_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = write_reordered_set(PUBLIC, tmp_path / "set")
    ids = [json.loads((at / "idmap.json").read_text()) for at in (PUBLIC, folder)]
    assert ids[0]["IMG_FIRST"] != ids[1]["IMG_FIRST"]
    assert main([str(folder)]) == 0, capsys.readouterr().out


def test_one_altered_value_ends_the_command_with_status_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = copy_of_public(tmp_path)
    change_pixel(folder / "layout/crop_after_96x64.png")
    for part in ("golden_transformer.safetensors", "generate", "sjd", "logits"):  # removed to save time
        path = folder / part
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    change_json(folder / "manifest.json", lambda manifest: keep_present(manifest, folder))
    assert main([str(folder)]) == 1
    missed = [line for line in capsys.readouterr().out.splitlines() if "MISS" in line]
    assert [line.split()[0] for line in missed] == ["layout/crop_after_96x64.png"]


def keep_present(manifest: dict[str, Any], folder: Path) -> None:
    manifest["files"] = [entry for entry in manifest["files"] if (folder / entry["file"]).exists()]


@pytest.mark.parametrize(
    ("check", "alter"),
    [
        (check_vocabulary, lambda at: change_json(at / "idmap.json", lambda ids: ids.update(SEP=1))),
        (
            check_prompts,
            lambda at: change_json(
                at / "layout/prompts.json", lambda document: document["tasks"]["t2i"]["ids"].append(7)
            ),
        ),
        (
            check_crop_table,
            lambda at: change_json(
                at / "layout/crops.json", lambda document: document["table"][1]["output"].append(1)
            ),
        ),
        (check_cropped_pixels, lambda at: change_pixel(at / "layout/crop_after_96x64.png")),
        (check_whitened_modes, lambda at: change_array(at / "layout/whiten_modes.npz", "out_LA")),
        (
            check_transformer,
            lambda at: change_tensor(at / "golden_transformer.safetensors", "seq1.decode_logits_fp32", 1e-3),
        ),
        (
            check_transformer,
            lambda at: change_tensor(at / "golden_transformer.safetensors", "seq0.decode_logits_bf16", 2.0),
        ),
        (
            check_movqgan,
            lambda at: change_tensor(at / "movqgan/golden_movqgan.safetensors", "decoded", 0.01),
        ),
        (check_movqgan, lambda at: change_pixel(at / "movqgan/decoded_random_4x9.png")),
        (check_guidance, lambda at: change_array(at / "logits/cfg.npz", "out_7.5")),
        (check_single_tokens, lambda at: change_array(at / "logits/constraint_topk.npz", "topk")),
        (check_public_ids, lambda at: change_array(at / "logits/real_vocab.npz", "keep_end")),
        (check_windows, lambda at: change_array(at / "sjd/sjd_processors.npz", "keep_constraint")),
        (check_trace, lambda at: change_tensor(at / "sjd/sjd_trace.safetensors", "call4.logits", 0.01)),
        (
            check_greedy,
            lambda at: change_json(
                at / "generate/greedy.json",
                lambda document: document["fp32"]["i2i"]["new_ids"].__setitem__(5, 400),
            ),
        ),
        (
            check_first_steps,
            lambda at: change_array(at / "generate/first_steps_fp32.npz", "i2i_after_cfg"),
        ),
        (check_generated_pictures, lambda at: change_pixel(at / "generate/t2i_fp32.png")),
    ],
)
def test_an_altered_value_is_a_miss_and_the_only_one(
    tmp_path: Path, check: Check, alter: Callable[[Path], None]
):
    folder = copy_of_public(tmp_path)
    alter(folder)
    missed = [row for row in check(FixtureSet(folder)) if not row.ok]
    assert len({row.fixture.split()[0] for row in missed}) == 1


def test_weights_in_shards_of_another_dtype_are_compared_in_float32(tmp_path: Path):
    folder = copy_of_public(tmp_path)
    weights = load_file(folder / "transformer/model.safetensors")
    (folder / "transformer/model.safetensors").unlink()
    write_shards(folder / "transformer", {name: weight.double() for name, weight in weights.items()})
    assert all(row.ok for row in check_transformer(FixtureSet(folder)))


def test_a_checkpoint_that_cannot_be_loaded_is_a_miss_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = copy_of_public(tmp_path)
    (folder / "transformer/model.safetensors").write_bytes(b"cut")
    assert main([str(folder)]) == 1
    assert "CheckpointError" in capsys.readouterr().out


def test_a_file_that_is_gone_is_a_miss(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "manifest.json").write_text(json.dumps({"files": [{"file": "a.json"}, {"file": "b.json"}]}))
    (tmp_path / "a.json").write_text("{}")
    assert main([str(tmp_path)]) == 1
    assert "b.json" in capsys.readouterr().out


@pytest.mark.parametrize("manifest", [None, "no json", "[]", '{"files": [{"file": "absent.json"}]}'])
def test_a_folder_that_is_no_fixture_set_ends_the_command_with_status_two(
    tmp_path: Path, manifest: str | None, capsys: pytest.CaptureFixture[str]
):
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_nan_is_a_miss():
    assert not Comparison("any", "any", float(torch.nan), 1.0).ok
