"""Random models of every architecture and precision, each written and loaded once for all tests."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from services.worker.engine.fused import decoder
from services.worker.engine.loading import LoadedModel, load_model
from services.worker.engine.precision import Precision
from tests.unit.engine.checkpoint_files import write_checkpoint

VARIATIONS: dict[str, dict[str, object]] = {
    "plain": {},
    "grouped queries": {"num_key_value_heads": 2},
    "swin-norm": {"swin_norm": True},
    "biases": {"attention_bias": True, "mlp_bias": True},
    "two shards": {"model_parallel_size": 2},
    # wider than the 64 numbers that compiled attention takes at once, and no multiple of them
    "wide heads": {"hidden_size": 160, "num_attention_heads": 2, "num_key_value_heads": 2},
    "everything": {
        "num_key_value_heads": 2,
        "swin_norm": True,
        "attention_bias": True,
        "mlp_bias": True,
        "model_parallel_size": 2,
    },
}

FUSED, VECTORS = "fused ", "vectors "
"""Of a precision's name: run fused, and without matrix units where the CPU has them."""

Models = Callable[..., LoadedModel]
"""models(precision="fp32", variation="plain"): such as "bf16", "fused fp32", "fused vectors bf16"."""


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny products lose time on a second thread."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return models_below(tmp_path_factory.mktemp("models"), torch.device("cpu"))


def models_below(root: Path, device: torch.device) -> Models:
    """Writes variations to the folder, and loads models onto the device, each when first asked for."""
    loaded: dict[tuple[str, str], LoadedModel] = {}

    def load(precision: str = "fp32", variation: str = "plain") -> LoadedModel:
        folder = root / variation
        if not folder.exists():
            write_checkpoint(folder, seed=1, **VARIATIONS[variation])
        key = precision, variation
        if key not in loaded:
            name = precision.removeprefix(FUSED).removeprefix(VECTORS)
            fused = precision.startswith(FUSED)
            with pytest.MonkeyPatch.context() as patch:
                if VECTORS in precision:
                    patch.setattr(decoder, "MATRIX_UNITS", False)
                loaded[key] = load_model(folder, Precision.from_name(name), device, fused=fused)
        return loaded[key]

    return load
