"""Which device and precision are picked where none is asked for."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from services.worker.engine import auto_precision
from services.worker.engine.auto_precision import choose_device, choose_precision
from services.worker.engine.config import ModelConfig
from services.worker.engine.errors import PrecisionError
from tests.unit.engine.checkpoint_files import golden_document

SMALL = ModelConfig.from_dict(golden_document())
LARGE = replace(SMALL, hidden_size=1024, intermediate_size=2816, num_hidden_layers=12)


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bool]]:
    """What the CPU is said to have."""
    features = {"avx2": True, "fma3": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    auto_precision.cpu_multiplies_bf16.cache_clear()
    yield features
    auto_precision.cpu_multiplies_bf16.cache_clear()


@pytest.mark.parametrize("quantization", ["none", "int8"])
def test_a_large_model_is_bound_by_its_bytes_on_any_cpu_with_avx2(cpu: dict[str, bool], quantization: str):
    assert choose_precision(LARGE, "auto", quantization).dtype is torch.bfloat16


def test_a_small_model_keeps_float32_where_the_cpu_has_no_bf16(cpu: dict[str, bool]):
    assert choose_precision(SMALL).name == "fp32"


def test_what_no_compiled_pass_knows_keeps_float32_where_the_cpu_has_no_bf16(cpu: dict[str, bool]):
    assert choose_precision(LARGE, "auto", "nf4").name == "fp32+nf4"
    cpu["avx2"] = False
    assert choose_precision(LARGE).name == "fp32"


@pytest.mark.parametrize(("seconds", "name"), [(1.0, "fp32"), (2.0, "bf16")])
def test_native_bf16_must_also_be_faster(
    cpu: dict[str, bool], monkeypatch: pytest.MonkeyPatch, seconds: float, name: str
):
    cpu["avx512_bf16"] = True
    monkeypatch.setattr(
        auto_precision, "_probe_seconds", lambda dtype: seconds if dtype is torch.float32 else 1.0
    )
    assert choose_precision(SMALL).name == name


def test_what_is_asked_for_is_taken():
    assert choose_precision(LARGE, "fp32", "int8").name == "fp32+int8"


def test_names_that_are_none_are_refused():
    with pytest.raises(PrecisionError, match="fp64"):
        choose_precision(SMALL, "fp64")
    with pytest.raises(PrecisionError, match="int7"):
        choose_precision(SMALL, "auto", "int7")
    with pytest.raises(PrecisionError, match="tpu0"):
        choose_device("tpu0")
