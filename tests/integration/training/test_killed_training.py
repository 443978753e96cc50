"""A training process that is killed in the middle leaves a run that goes on as if nothing had happened."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.unit.training.conftest import SIZES
from training.checkpoints import latest_checkpoint, read_checkpoint
from training.smoke import smoke

STEPS = 60
KILLED_AFTER = "step 20/"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world")
    smoke(out, SIZES)
    return out


def start(world: Path, run: Path) -> subprocess.Popen[str]:
    """The training program, saving after every step."""
    options = [
        "--steps",
        str(STEPS),
        "--batch",
        "4",
        "--threads",
        "1",
        "--save-seconds",
        "0",
        "--warmup",
        "5",
    ]
    folders = ["--model", str(world / "start"), "--data", str(world / "data"), "--run", str(run)]
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "training.finetune", *folders, *options],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_killed_run_ends_in_the_same_weights(world: Path, tmp_path: Path) -> None:
    killed = start(world, tmp_path / "killed")
    assert killed.stdout is not None
    with killed.stdout as lines:
        assert any(line.startswith(KILLED_AFTER) for line in lines)
        killed.kill()
        killed.wait(60)
    left = latest_checkpoint(tmp_path / "killed/checkpoints")
    assert left is not None
    assert 19 <= read_checkpoint(left)["step"] < STEPS

    for name in ("killed", "whole"):
        with start(world, tmp_path / name) as process:
            process.communicate(timeout=200)
        assert process.returncode == 0
    resumed, whole = (
        read_checkpoint(tmp_path / name / f"checkpoints/step-{STEPS:08d}.pt") for name in ("killed", "whole")
    )
    for kind in ("masters", "averaged"):
        for weight in whole[kind]:
            assert torch.equal(resumed[kind][weight], whole[kind][weight]), weight
