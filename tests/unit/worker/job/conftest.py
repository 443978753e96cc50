"""One random model for all tests of the job room."""

import pytest
import torch

from services.worker.engine.loading.load import LoadedModel
from tests.support.models.variations import models_below


@pytest.fixture(scope="package")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    torch.set_num_threads(1)
    return models_below(tmp_path_factory.mktemp("models"), torch.device("cpu"))()
