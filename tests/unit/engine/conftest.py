"""Random models of every architecture and precision, each written and loaded once for all tests."""

from pathlib import Path

import pytest
import torch

from services.worker.engine.loading.load import LoadedModel
from tests.support.models.variations import Models, models_below


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Use one thread: tiny matrix products are slower with two."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return models_below(tmp_path_factory.mktemp("models"), torch.device("cpu"))


@pytest.fixture
def own_model(tmp_path: Path) -> LoadedModel:
    """A model that the test may change."""
    return models_below(tmp_path, torch.device("cpu"))()
