"""Sample sheets are drawn during training and do not change its weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from training.checkpoints import read_checkpoint
from training.finetune import RunOptions, finetune, open_batches
from training.samples import read_prompts, write_sheet
from training.transformer.trainer import TrainingOptions

STEPS = 4


def train(folder: Path, run: Path, **choices: Any) -> dict[str, torch.Tensor]:
    """Train a short run; returns its weights."""
    source = open_batches(folder / "start", (folder / "data",), size=4, seed=1, dropout=0.1)
    options = TrainingOptions(STEPS, warmup=1, bf16=False, muon="lora" not in choices)
    finetune(folder / "start", source, run, options, RunOptions(line_every=100, **choices))
    return read_checkpoint(run / f"checkpoints/step-{STEPS:08d}.pt")["masters"]


@pytest.mark.parametrize("choices", [{}, {"lora": 2}], ids=["all weights", "adapter"])
def test_sheets_are_drawn_and_the_weights_are_the_same_as_without(
    smoke_run: Path, tmp_path: Path, choices: dict[str, Any]
) -> None:
    plain = train(smoke_run, tmp_path / "plain", **choices)
    sampled = train(smoke_run, tmp_path / "run", samples_every=2, prompts=["a ball", "a cube"], **choices)
    assert [file.name for file in sorted((tmp_path / "run/samples").iterdir())] == [
        "step-00000002.png",
        "step-00000004.png",
    ]
    assert plain.keys() == sampled.keys()
    assert all(torch.equal(plain[name], sampled[name]) for name in plain)
    left = {file.name for file in (tmp_path / "run").iterdir()}
    assert left <= {"checkpoints", "samples", "tensorboard", "adapter"}


def test_sheets_of_different_steps_show_different_pictures(smoke_run: Path, tmp_path: Path) -> None:
    prompts = [f"a {colour} ball" for colour in ("red", "green", "blue", "white")]
    train(smoke_run, tmp_path / "run", samples_every=2, prompts=prompts)
    sheets = [Image.open(file).tobytes() for file in sorted((tmp_path / "run/samples").iterdir())]
    assert sheets[0] != sheets[1]


def test_a_sheet_of_scenes_has_examples_of_every_task_and_is_the_same_each_time(
    smoke_run: Path, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        write_sheet(smoke_run / "model", tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.height > 300


def test_prompts_are_the_lines_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("a ball\n\n  a cube \n")
    assert read_prompts(file) == ["a ball", "a cube"]
    assert read_prompts(None) == []
