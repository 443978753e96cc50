"""Training in two processes that share the weights gives the losses of one process."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.support.training.programs import Program, finish
from training.checkpoints import latest_checkpoint, read_checkpoint

# each process imports torch, which takes long on a busy machine with two cores
pytestmark = pytest.mark.timeout(900)

OPTIONS = ("--batch", 8, "--warmup", 2, "--line-every", 1)

MUON_TOLERANCE = 5e-4
"""Muon computes its updates in bfloat16, where a last-bit difference, which depends on the CPU, grows."""


def losses(run: Path) -> list[float]:
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    return [event.value for event in events.Scalars("loss")]


def last_step(run: Path) -> int:
    path = latest_checkpoint(run / "checkpoints")
    assert path is not None
    return read_checkpoint(path)["step"]


@pytest.mark.parametrize(
    ("choice", "tolerance"),
    [
        pytest.param(("--fp32", "--adamw"), 1e-5, marks=pytest.mark.long),
        pytest.param(
            ("--fp32", "--muon", "--accumulate", 2, "--recompute"), MUON_TOLERANCE, marks=pytest.mark.long
        ),
        pytest.param(("--fp32", "--lora", 4), 1e-5, marks=pytest.mark.long),
        # weights are rounded alike, but gradients are summed in another order
        pytest.param(("--bf16",), 3e-2, marks=pytest.mark.long),
    ],
)
def test_two_processes_have_the_losses_of_one(
    program: Program, tmp_path: Path, choice: tuple[object, ...], tolerance: float
) -> None:
    for processes in (1, 2):
        finish(program(tmp_path / str(processes), *OPTIONS, *choice, "--steps", 5, processes=processes))
    alone, together = losses(tmp_path / "1"), losses(tmp_path / "2")
    assert len(alone) == 5
    assert together == pytest.approx(alone, abs=tolerance)
    assert len(set(alone)) == 5


@pytest.mark.long
def test_a_run_continues_with_another_number_of_processes(program: Program, tmp_path: Path) -> None:
    options = (*OPTIONS, "--fp32", "--decay", 0)
    finish(program(tmp_path / "whole", *options, "--steps", 6))
    for steps, processes in ((3, 2), (6, 1)):
        finish(program(tmp_path / "changing", *options, "--steps", steps, processes=processes))
        assert last_step(tmp_path / "changing") == steps
    assert losses(tmp_path / "changing") == pytest.approx(losses(tmp_path / "whole"), abs=MUON_TOLERANCE)
