"""A small world to train in, and the training program as a process."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.training.conftest import SIZES
from training.smoke import smoke

Program = Callable[..., subprocess.Popen[str]]
"""program(run, *options, processes=1): `training.finetune` on the small world."""


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `training.smoke` leaves: `start`, an untrained model, and `data`, among others."""
    out = tmp_path_factory.mktemp("world")
    smoke(out, SIZES)
    return out


@pytest.fixture
def program(world: Path) -> Program:
    def start(run: Path, *options: object, processes: int = 1) -> subprocess.Popen[str]:
        alone = [sys.executable, "-u", "-m"]
        together = [*alone, "torch.distributed.run", f"--nproc-per-node={processes}", "--standalone", "-m"]
        folders = ["--model", world / "start", "--data", world / "data", "--run", run]
        command = [*(alone if processes == 1 else [*together, "--"]), "training.finetune", *folders]
        given = [*command, "--threads", 1, "--device", "cpu", *options]
        return subprocess.Popen([str(part) for part in given], stdout=subprocess.PIPE, text=True)

    return start


def finish(process: subprocess.Popen[str]) -> str:
    """Wait until the program is done; returns what it printed."""
    with process:
        output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output
    return output
