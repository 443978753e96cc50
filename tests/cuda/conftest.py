"""Models on a GPU. Without one, every test of this folder is skipped.

LUMINARY_TEST_DEVICE names another device, such as cuda:1; with cpu the tests can be tried anywhere.
"""

import os

import pytest
import torch

from services.worker.engine.loading import LoadedModel, load_model
from services.worker.engine.precision import Precision
from tests.unit.engine.checkpoint_files import write_checkpoint
from tests.unit.engine.conftest import VARIATIONS, Models

NAME = os.environ.get("LUMINARY_TEST_DEVICE", "cuda")


@pytest.fixture(scope="session", autouse=True)
def device() -> torch.device:
    if NAME.startswith("cuda") and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    return torch.device(NAME)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, device: torch.device) -> Models:
    """Like the fixture of the unit tests, on the device."""
    root = tmp_path_factory.mktemp("models")
    loaded: dict[tuple[str, str], LoadedModel] = {}

    def load(precision: str = "fp32", variation: str = "plain") -> LoadedModel:
        folder = root / variation
        if not folder.exists():
            write_checkpoint(folder, seed=1, **VARIATIONS[variation])
        dtype, _, quantization = precision.partition("+")
        if quantization:
            pytest.importorskip("bitsandbytes")
        key = precision, variation
        if key not in loaded:
            loaded[key] = load_model(folder, Precision.parse(dtype, quantization or "none"), device)
        return loaded[key]

    return load
