"""A small scene world with a model and data, and the training program as a process."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.training.programs import SIZES, Program
from training.smoke import smoke


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of `training.smoke`: `start`, an untrained model, `data`, and more."""
    out = tmp_path_factory.mktemp("world")
    smoke(out, SIZES)
    return out


@pytest.fixture
def program(world: Path) -> Program:
    """Start `training.finetune` on the world in one or several processes."""

    def start(run: Path, *options: object, processes: int = 1) -> subprocess.Popen[str]:
        alone = [sys.executable, "-u", "-m"]
        together = [*alone, "torch.distributed.run", f"--nproc-per-node={processes}", "--standalone", "-m"]
        folders = ["--model", world / "start", "--data", world / "data", "--run", run]
        command = [*(alone if processes == 1 else [*together, "--"]), "training.finetune", *folders]
        given = [*command, "--threads", 1, "--device", "cpu", *options]
        return subprocess.Popen([str(part) for part in given], stdout=subprocess.PIPE, text=True)

    return start
