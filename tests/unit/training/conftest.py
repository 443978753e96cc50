"""One run of `training.smoke` for all tests that need a trained model, its data or its starting point."""

from pathlib import Path

import pytest
import torch

from training.smoke import SmokeSizes, smoke

SIZES = SmokeSizes(tokenizer_steps=8, examples=64, steps=12)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small products lose time on a second thread, and sums keep one order."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `movqgan`, `start` (untrained model), `data`, `run` and `model` (trained)."""
    out = tmp_path_factory.mktemp("smoke")
    smoke(out, SIZES)
    return out
