"""One run of `training.smoke` for all tests that need a trained model, its data or its untrained start."""

from pathlib import Path

import pytest
import torch

from tests.support.training.programs import SIZES
from training.smoke import smoke


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """One thread is faster for small matrix products, and sums always have the same order."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `movqgan`, `start` (untrained model), `data`, `run` and `model` (trained)."""
    out = tmp_path_factory.mktemp("smoke")
    smoke(out, SIZES)
    return out
