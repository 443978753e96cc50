"""Random models of every architecture and precision, written and loaded at their first use."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from services.worker.engine.fused.run import decoder
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.loading.load import LoadedModel, load_model
from tests.support.models.checkpoint_files import write_checkpoint

VARIATIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "grouped queries": {"num_key_value_heads": 2},
    "swin-norm": {"swin_norm": True},
    "biases": {"attention_bias": True, "mlp_bias": True},
    "two shards": {"model_parallel_size": 2},
    # wider than the 64 numbers that compiled attention processes at once, and not a multiple of 64
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
"""Prefixes of a precision's name: run fused, and do not use the CPU's matrix units."""

Models = Callable[..., LoadedModel]
"""models(precision="fp32", variation="plain"), precisions: "bf16", "fused fp32", "fused vectors bf16"..."""


def models_below(root: Path, device: torch.device) -> Models:
    """Write models below `root` and load them onto the device, each at its first use."""
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
