"""Time and peak memory of the image tokenizer: load, encode and decode one picture.

    python -m benchmarks.movqgan --preset 270M --size 1024x1024

Without --checkpoint the weights are random: neither time nor memory depends on their values. The
measurement runs in a process of its own, for peak memory is a property of a process.
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
    """Print one JSON line for each step: seconds, peak memory, and its excess over what was there before.

    What is there before loading is the interpreter; before decoding and encoding it is that and the weights.
    """
    arguments = _parse_arguments()
    if arguments.in_this_process:
        measure(arguments.checkpoint, *arguments.size, threads=arguments.threads)
        return
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = arguments.checkpoint
        if checkpoint is None:
            checkpoint = Path(scratch) / "random.ckpt"
            torch.save(MoVQGAN(MoVQGANConfig.preset(arguments.preset)).state_dict(), checkpoint)
        width, height = arguments.size
        command = [sys.executable, "-m", "benchmarks.movqgan", "--in-this-process"]
        command += ["--checkpoint", str(checkpoint), "--size", f"{width}x{height}"]
        subprocess.run([*command, "--threads", str(arguments.threads)], check=True)


def measure(checkpoint: Path, width: int, height: int, *, threads: int) -> None:
    """Load the checkpoint, decode random codes, encode the picture they give."""
    torch.set_num_threads(threads)
    before = _peak_mib()
    model = _timed("load", before, lambda: load_movqgan(checkpoint))
    weights = sum(value.nbytes for value in model.state_dict().values()) / 2**20
    step = model.config.downsampling
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(model.config.n_embed, (1, height // step, width // step), generator=generator)
    pixels = _timed("decode", before + weights, lambda: model.decode(codes))
    _timed("encode", before + weights, lambda: model.encode(pixels.clamp(-1, 1)))


def _timed(step: str, base_mib: float, action: Callable[[], Result]) -> Result:
    start = time.perf_counter()
    result = action()
    seconds = time.perf_counter() - start
    peak = _peak_mib()
    figures = {
        "step": step,
        "seconds": round(seconds, 2),
        "peak_rss_mib": round(peak),
        "above_base_mib": round(peak - base_mib),
        "threads": torch.get_num_threads(),
    }
    print(json.dumps(figures), flush=True)
    return result


def _peak_mib() -> float:
    """Highest resident size of this process so far, from Linux; getrusage would count the parent's too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--preset", choices=["67M", "102M", "270M"], default="270M")
    parser.add_argument("--checkpoint", type=Path, help="a real checkpoint instead of random weights")
    parser.add_argument("--size", type=_parse_size, default=(512, 512), help="WIDTHxHEIGHT in pixels")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--in-this-process", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _parse_size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


if __name__ == "__main__":
    main()
