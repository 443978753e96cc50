"""What the figures were measured on: processor, features, and how fast it reads memory."""

import platform
import time
from pathlib import Path

import torch

PROBE_BYTES = 800_000_000
PROBE_RUNS = 9
FEATURES = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_bf16")


def read_bandwidth() -> float:
    """Bytes per second that all threads read together: the best of several sums over a large array."""
    array = torch.ones(PROBE_BYTES // 4)
    best = float("inf")
    for _ in range(PROBE_RUNS):
        started = time.perf_counter()
        array.sum()
        best = min(best, time.perf_counter() - started)
    return PROBE_BYTES / best


def describe_machine() -> dict[str, object]:
    """Processor, its features that matter here, threads, versions and the load before the run."""
    capabilities = torch.cpu.get_capabilities()
    return {
        "cpu": capabilities.get("cpu_name", platform.processor()),
        "features": [name for name in FEATURES if capabilities.get(name)],
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "load_average": Path("/proc/loadavg").read_text(encoding="ascii").split()[0],
    }
