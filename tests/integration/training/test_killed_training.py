"""A training run that was killed continues to the same weights as an undisturbed run."""

from pathlib import Path

import pytest
import torch

from tests.support.training.programs import Program, finish
from training.checkpoints import latest_checkpoint, read_checkpoint

# each process imports torch, which takes long on a busy machine with two cores
pytestmark = pytest.mark.timeout(900)

STEPS = 60
OPTIONS = ("--steps", STEPS, "--batch", 4, "--save-seconds", 0)
KILLED_AFTER = "step 20/"


@pytest.mark.long
def test_a_killed_run_ends_in_the_same_weights(program: Program, tmp_path: Path) -> None:
    killed = program(tmp_path / "killed", *OPTIONS)
    assert killed.stdout is not None
    with killed.stdout as lines:
        assert any(line.startswith(KILLED_AFTER) for line in lines)
        killed.kill()
        killed.wait(60)
    left = latest_checkpoint(tmp_path / "killed/checkpoints")
    assert left is not None
    assert 19 <= read_checkpoint(left)["step"] < STEPS

    states = []
    for name in ("killed", "whole"):
        finish(program(tmp_path / name, *OPTIONS))
        states.append(read_checkpoint(tmp_path / name / f"checkpoints/step-{STEPS:08d}.pt"))
    resumed, whole = states
    for kind in ("masters", "averaged"):
        for weight in whole[kind]:
            assert torch.equal(resumed[kind][weight], whole[kind][weight]), weight
