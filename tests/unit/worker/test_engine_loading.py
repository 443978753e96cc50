"""Loading the worker's engine checks the memory before it reads weights, and refuses in one line."""

import logging
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from services.worker.engine.errors import MemoryShortageError
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.loading import machine_memory
from services.worker.engine.loading.auto_precision import cpu_multiplies_bf16, remark_on_speed
from services.worker.model.engine_host import warm_up
from services.worker.model.loading import load_engine
from services.worker.settings import GpuWorkerSettings

TINY = Path(__file__).parents[3] / "models/tiny"


def settings(**own: object) -> GpuWorkerSettings:
    return GpuWorkerSettings.model_validate({"model": str(TINY), "device": "cpu", "dtype": "fp32"} | own)


def test_the_default_cache_holds_the_pictures_of_the_model() -> None:
    engine = load_engine(TINY, settings())
    assert engine.cache.allocator.capacity == 65_536
    assert warm_up(engine) > 0


def test_a_cache_beyond_all_memory_is_refused_before_weights_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.worker.model.loading.load_model", pytest.fail)
    with pytest.raises(MemoryShortageError, match="set WORKER_KV_CACHE_TOKENS to"):
        load_engine(TINY, settings(kv_cache_tokens=10**12))


def test_memory_that_the_system_refuses_is_reported_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.worker.model.loading.available_bytes", lambda _: None)
    with pytest.raises(MemoryShortageError, match="could not be allocated; set WORKER_KV_CACHE_TOKENS below"):
        load_engine(TINY, settings(kv_cache_tokens=1 << 46))
    assert machine_memory.available_bytes(torch.device("cpu"))


@pytest.mark.parametrize("value", ["511", "many", "", "-1", "1.5"])
def test_the_setting_is_a_number_or_auto(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("WORKER_KV_CACHE_TOKENS", value)
    with pytest.raises(ValidationError, match='"auto", or a number of at least 512'):
        GpuWorkerSettings()


@pytest.mark.parametrize(("value", "tokens"), [("auto", "auto"), ("4096", 4096)])
def test_the_setting_is_read(monkeypatch: pytest.MonkeyPatch, value: str, tokens: object) -> None:
    monkeypatch.setenv("WORKER_KV_CACHE_TOKENS", value)
    assert GpuWorkerSettings().kv_cache_tokens == tokens


def test_loading_warns_that_nf4_is_slow_on_a_cpu(caplog: pytest.LogCaptureFixture) -> None:
    """Fixed bug: NF4 on a CPU was 30 times slower than bf16, without a warning."""
    with caplog.at_level(logging.WARNING):
        load_engine(TINY, settings(quantization="nf4"))
    assert "nf4 saves memory on a CPU, not time" in caplog.text
    assert ("about 30 times slower" in caplog.text) is not cpu_multiplies_bf16()
    for name in ("fp32", "bf16", "bf16+int8"):
        assert remark_on_speed(Precision.from_name(name), torch.device("cpu")) is None
    assert remark_on_speed(Precision.from_name("bf16+nf4"), torch.device("cuda")) is None
