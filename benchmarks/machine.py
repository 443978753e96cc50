"""Facts about the measuring machine: processor or GPU, features, read bandwidth, peak memory."""

import platform
import resource
import time
from importlib.util import find_spec
from pathlib import Path

import torch

PROBE_BYTES = {"cpu": 800_000_000, "cuda": 8_000_000_000}
PROBE_RUNS = 9
CPU = torch.device("cpu")
FEATURES = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_bf16")


def read_bandwidth(device: torch.device = CPU) -> float:
    """Read bandwidth of the device in bytes per second: the best of several sums over a large array."""
    array = torch.ones(PROBE_BYTES[device.type] // 4, device=device)
    best = float("inf")
    for _ in range(PROBE_RUNS):
        started = time.perf_counter()
        array.sum().item()
        best = min(best, time.perf_counter() - started)
    return array.nbytes / best


def peak_mib(device: torch.device = CPU) -> int:
    """Peak memory so far in MiB: allocated tensors on a GPU, resident memory of the process on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) >> 20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def describe_machine(device: torch.device = CPU) -> dict[str, object]:
    """Name and features of the processor or GPU, versions of libraries, and the CPU's load average."""
    if device.type == "cuda":
        gpu = torch.cuda.get_device_properties(device)
        return {
            "gpu": gpu.name,
            "gib": round(gpu.total_memory / 2**30),
            "torch": torch.__version__,
            "cudnn": torch.backends.cudnn.version(),
            "flash_attn": find_spec("flash_attn") is not None,
            "python": platform.python_version(),
        }
    capabilities = torch.cpu.get_capabilities()
    return {
        "cpu": capabilities.get("cpu_name", platform.processor()),
        "features": [name for name in FEATURES if capabilities.get(name)],
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "load_average": Path("/proc/loadavg").read_text(encoding="ascii").split()[0],
    }
