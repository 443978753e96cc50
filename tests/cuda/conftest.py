"""Models on a GPU. Without one, every test of this folder is skipped.

LUMINARY_TEST_DEVICE names another device, such as cuda:1; with cpu the tests can be tried anywhere.
"""

import os

import pytest
import torch

from services.worker.engine.loading.load import LoadedModel
from tests.support.models.variations import FUSED, Models, models_below

NAME = os.environ.get("LUMINARY_TEST_DEVICE", "cuda")


@pytest.fixture(scope="session", autouse=True)
def device() -> torch.device:
    if NAME.startswith("cuda") and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    return torch.device(NAME)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, device: torch.device) -> Models:
    """Like the fixture of the unit tests, on the device."""
    load_anything = models_below(tmp_path_factory.mktemp("models"), device)

    def load(precision: str = "fp32", variation: str = "plain") -> LoadedModel:
        if precision.startswith(FUSED):
            pytest.skip("the fused decoder is for the CPU")
        if "+" in precision:
            pytest.importorskip("bitsandbytes")
        return load_anything(precision, variation)

    return load
