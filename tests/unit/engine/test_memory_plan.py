"""Memory is counted before it is allocated: the available and the needed bytes, and the setting to change."""

from pathlib import Path

import pytest
import torch

from benchmarks.random_model import TWO_BILLION
from services.worker.engine.errors import MemoryShortageError
from services.worker.engine.kernels.precision import Precision
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.loading.load import load_model
from services.worker.engine.loading.machine_memory import available_bytes
from services.worker.engine.loading.memory_plan import (
    GIB,
    check_memory,
    choose_kv_cache_tokens,
    is_memory_refusal,
    model_need,
    tokens_of_pictures,
)
from services.worker.engine.model.config import ModelConfig
from services.worker.engine.model.kv_cache import KVCache

CPU = torch.device("cpu")
TINY = Path(__file__).parents[3] / "models/tiny"
LARGE = ModelConfig.from_dict({"model_type": "chameleon", **TWO_BILLION})
PUBLIC = PictureSize(768, 768)
MEMINFO = "MemTotal: 100000 kB\nMemFree: 10 kB\nMemAvailable:   50000 kB\n"


def machine(root: Path, membership: str, files: dict[str, str]) -> tuple[Path, Path]:
    """Folders like /proc and /sys/fs/cgroup with these contents."""
    proc, groups = root / "proc", root / "groups"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(MEMINFO)
    (proc / "self/cgroup").write_text(membership)
    groups.mkdir()
    for name, content in files.items():
        (groups / name).parent.mkdir(parents=True, exist_ok=True)
        (groups / name).write_text(content)
    return proc, groups


V2, V1 = "0::/pod/worker\n", "9:cpu:/\n4:cpuacct,memory:/pod\n0::/\n"


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("", {}, 50_000 * 1024),
        (V2, {"pod/worker/memory.max": "max", "pod/worker/memory.current": "5"}, 50_000 * 1024),
        (V2, {"pod/worker/memory.max": "9000", "pod/worker/memory.current": "5000"}, 4000),
        (V2, {"pod/memory.max": "9000", "pod/memory.current": "8000"}, 1000),
        (V2, {"memory.max": "9000", "memory.current": "8500"}, 500),
        (
            V2,
            {
                "pod/memory.max": "9000",
                "pod/memory.current": "8000",
                "pod/memory.stat": "anon 5\ninactive_file 700\n",
            },
            1700,
        ),
        (V2, {"pod/memory.max": "9000", "pod/memory.current": "9500"}, 0),
        (
            V1,
            {
                "memory/pod/memory.limit_in_bytes": "9000",
                "memory/pod/memory.usage_in_bytes": "6000",
                "memory/pod/memory.stat": "total_inactive_file 100\n",
            },
            3100,
        ),
        (
            V1,
            {
                "memory/memory.limit_in_bytes": "9223372036854771712",
                "memory/memory.usage_in_bytes": "6000",
            },
            50_000 * 1024,
        ),
    ],
)
def test_the_smallest_of_machine_and_groups_counts(
    tmp_path: Path, membership: str, files: dict[str, str], expected: int
) -> None:
    proc, groups = machine(tmp_path, membership, files)
    assert available_bytes(CPU, proc=proc, groups=groups) == expected


def test_available_memory_is_none_without_proc(tmp_path: Path) -> None:
    assert available_bytes(CPU, proc=tmp_path, groups=tmp_path) is None


@pytest.mark.parametrize(
    ("precision", "gib"), [("fp32", 8.8), ("bf16", 4.4), ("bf16+int8", 2.9), ("bf16+nf4", 2.2)]
)
def test_the_memory_of_two_billion_parameters_is_known_in_advance(precision: str, gib: float) -> None:
    need = model_need(LARGE, Precision.from_name(precision), 16_384)
    assert need.weights / GIB == pytest.approx(gib, abs=0.1)


@pytest.mark.parametrize("precision", ["fp32", "fp32+int8", "fp32+nf4"])
def test_the_counted_memory_is_that_of_the_loaded_model(precision: str) -> None:
    loaded = load_model(TINY, Precision.from_name(precision))
    need = model_need(loaded.config, loaded.precision, len(loaded.image_ids))
    assert need.weights == pytest.approx(sum(loaded.capabilities.weight_bytes.values()), rel=0.06)
    cache = KVCache(loaded.config, 1024, dtype=torch.float32, device=CPU)
    assert 1024 * need.per_token == cache.nbytes


def test_a_kv_cache_that_is_too_large_names_the_setting_to_change() -> None:
    """Regression: a KV cache of 32 GiB was accepted on a machine with 24 GiB."""
    need = model_need(LARGE, Precision.from_name("bf16"), 16_384)
    with pytest.raises(MemoryShortageError) as refused:
        check_memory(need, 24 * GIB, 131_072)
    message = str(refused.value)
    assert "\n" not in message
    assert "GiB of memory are needed, 24.0 GiB are available" in message
    assert "KV cache 32.0 GiB for 131072 tokens" in message
    tokens = int(message.rpartition("WORKER_KV_CACHE_TOKENS to ")[2].split()[0])
    check_memory(need, 24 * GIB, tokens)
    with pytest.raises(MemoryShortageError):
        check_memory(need, 24 * GIB, tokens + 512)


def test_a_model_that_does_not_fit_gets_advice_to_quantise() -> None:
    need = model_need(LARGE, Precision(), 16_384)
    with pytest.raises(MemoryShortageError, match="WORKER_QUANTIZATION=int8"):
        check_memory(need, 8 * GIB, 1024)
    with pytest.raises(MemoryShortageError, match="WORKER_QUANTIZATION=int8"):
        choose_kv_cache_tokens(need, 8 * GIB, PUBLIC, 16)


def test_the_cache_follows_machine_and_model() -> None:
    need = model_need(LARGE, Precision.from_name("bf16"), 16_384)
    sizes = [choose_kv_cache_tokens(need, gib * GIB, PUBLIC, 16) for gib in (16, 24, 80, 1000)]
    assert sizes == sorted(set(sizes))
    assert sizes[0] >= tokens_of_pictures(PUBLIC, 1)
    assert sizes[-1] == tokens_of_pictures(PUBLIC, 16) == choose_kv_cache_tokens(need, None, PUBLIC, 16)
    for gib, tokens in zip((16, 24, 80), sizes, strict=False):
        check_memory(need, gib * GIB, tokens)


def test_a_failed_allocation_is_recognised() -> None:
    """Regression: a failed mapping raised OSError, and the worker restarted again and again."""
    config = ModelConfig.from_folder(TINY)
    with pytest.raises((OSError, MemoryError)) as refused:
        KVCache(config, 1 << 46, dtype=torch.float32, device=CPU)
    assert is_memory_refusal(refused.value)
