"""The default device and precision."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

from services.worker.engine.errors import PrecisionError
from services.worker.engine.loading.auto_precision import choose_device, choose_precision
from services.worker.engine.model.config import ModelConfig
from tests.support.models.checkpoint_files import golden_document

SMALL = ModelConfig.from_dict(golden_document())
LARGE = replace(SMALL, hidden_size=1024, intermediate_size=2816, num_hidden_layers=12)


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """The CPU features that PyTorch reports; a test may change them."""
    features = {"avx2": True, "fma3": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    return features


@pytest.mark.parametrize("quantization", ["none", "int8"])
def test_large_models_use_bf16_on_every_cpu_with_avx2(cpu: dict[str, bool], quantization: str):
    assert choose_precision(LARGE, "auto", quantization).dtype is torch.bfloat16


def test_precisions_without_fusion_use_fp32_on_cpus_without_bf16(cpu: dict[str, bool]):
    assert choose_precision(LARGE, "auto", "nf4").name == "fp32+nf4"
    cpu["avx2"] = False
    assert choose_precision(LARGE).name == "fp32"


@pytest.mark.parametrize("unit", ["amx_bf16", "avx512_bf16"])
def test_precisions_without_fusion_use_bf16_on_cpus_with_bf16(cpu: dict[str, bool], unit: str):
    cpu[unit] = True
    assert choose_precision(LARGE, "auto", "nf4").name == "bf16+nf4"


@pytest.mark.parametrize("has_units", [True, False])
def test_a_small_model_draws_the_same_on_every_cpu(cpu: dict[str, bool], has_units: bool):
    """Regression: of eight processes on a busy machine, one chose bf16 and seven fp32."""
    cpu["amx_bf16"] = cpu["avx512_bf16"] = has_units
    assert {choose_precision(SMALL).name for _ in range(8)} == {"fp32"}


@pytest.mark.parametrize(("native", "name"), [(True, "bf16"), (False, "fp32")])
def test_a_gpu_takes_bf16_unless_it_only_emulates_it(
    monkeypatch: pytest.MonkeyPatch, native: bool, name: str
):
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: native or including_emulation
    )
    assert choose_precision(SMALL, device="cuda").name == name


def test_explicit_precisions_are_used():
    assert choose_precision(LARGE, "fp32", "int8").name == "fp32+int8"


def test_unknown_names_are_refused():
    with pytest.raises(PrecisionError, match="fp64"):
        choose_precision(SMALL, "fp64")
    with pytest.raises(PrecisionError, match="int7"):
        choose_precision(SMALL, "auto", "int7")
    with pytest.raises(PrecisionError, match="tpu0"):
        choose_device("tpu0")
