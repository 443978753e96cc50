"""Measure time and peak memory of the image tokenizer: load, decode and encode.

    python -m benchmarks.movqgan --preset 270M --size 1024x1024

Without --checkpoint the weights are random: time and memory do not depend on their values. The measurement
runs in a new process, because peak memory is counted for a whole process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from services.tokenizer.movqgan import MoVQGAN, MoVQGANConfig, load_movqgan

Result = TypeVar("Result")


def main() -> None:
    """Print one JSON line for each step: seconds, peak memory, and its excess over the base.

    The base is the memory before the load; for decoding and encoding the weights are added to it.
    """
    arguments = _parse_arguments()
    if arguments.in_this_process:
        torch.set_num_threads(arguments.threads)
        measure(arguments)
        return
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = arguments.checkpoint
        if checkpoint is None:
            checkpoint = Path(scratch) / "random.ckpt"
            torch.save(MoVQGAN(MoVQGANConfig.preset(arguments.preset)).state_dict(), checkpoint)
        width, height = arguments.size
        command = [sys.executable, "-m", "benchmarks.movqgan", "--in-this-process"]
        command += ["--checkpoint", str(checkpoint), "--size", f"{width}x{height}"]
        command += ["--device", arguments.device, "--pictures", str(arguments.pictures)]
        command += ["--repeats", str(arguments.repeats)]
        subprocess.run([*command, "--threads", str(arguments.threads)], check=True)


def measure(arguments: argparse.Namespace) -> None:
    """Load the checkpoint, decode random codes, and encode the decoded pictures."""
    device = torch.device(arguments.device)
    width, height = arguments.size
    before = _peak_mib(device)
    model = _timed("load", before, device, lambda: load_movqgan(arguments.checkpoint, device=device))
    weights = sum(value.nbytes for value in model.state_dict().values()) / 2**20
    step = model.config.downsampling
    generator = torch.Generator().manual_seed(0)
    shape = arguments.pictures, height // step, width // step
    codes = torch.randint(model.config.n_embed, shape, generator=generator)
    for _ in range(arguments.repeats):
        pixels = _timed("decode", before + weights, device, lambda: model.decode(codes))
        _timed("encode", before + weights, device, lambda pixels=pixels: model.encode(pixels.clamp(-1, 1)))


def _timed(step: str, base_mib: float, device: torch.device, action: Callable[[], Result]) -> Result:
    start = time.perf_counter()
    result = action()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds = time.perf_counter() - start
    peak = _peak_mib(device)
    figures = {
        "step": step,
        "seconds": round(seconds, 3),
        "peak_mib": round(peak),
        "above_base_mib": round(peak - base_mib),
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(figures), flush=True)
    return result


def _peak_mib(device: torch.device) -> float:
    """Peak GPU memory, or on the CPU the peak resident memory of this process (VmHWM), in MiB.

    getrusage would include the parent's memory at the fork.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--preset", choices=["67M", "102M", "270M"], default="270M")
    parser.add_argument("--checkpoint", type=Path, help="checkpoint to use instead of random weights")
    parser.add_argument("--size", type=_parse_size, default=(512, 512), help="WIDTHxHEIGHT in pixels")
    parser.add_argument("--pictures", type=int, default=1, help="number of pictures in one call")
    parser.add_argument(
        "--repeats", type=int, default=1, help="number of runs; on a GPU the first one also loads libraries"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _parse_size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


if __name__ == "__main__":
    main()
