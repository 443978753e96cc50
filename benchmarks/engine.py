"""Decoding speed of the engine beside Hugging Face transformers' own Chameleon, on the same weights.

    python -m benchmarks.engine --out docs/benchmarks/engine.json
    python -m benchmarks.engine --device cuda --full-size --size 768x768 --drawn 1152 --precisions bf16

A random-weight model (hidden 1024, 12 layers, 16 heads, 8,192 ids; or of the 7B's shape) draws pictures at
guidance 4. Each figure is the median over the steps of a run of some rows, prompt and first steps left out,
so a busy moment of the machine does not decide. Bytes read per step are those of the weights a step needs
(embedding table and unused output rows left out) and of the filled key-value cache.
"""

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from benchmarks.machine import describe_machine, peak_mib, read_bandwidth
from benchmarks.random_model import load_full_size_model, write_benchmark_model
from benchmarks.reference_decoding import reference_tokens_per_second
from services.worker.engine.engine import Engine, EngineOptions, kv_cache_tokens
from services.worker.engine.kv_cache import bytes_per_token
from services.worker.engine.loading import LoadedModel, load_model
from services.worker.engine.precision import Precision
from services.worker.engine.prompts import PictureRequest
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sampling import SamplingParameters
from services.worker.engine.sequence_plan import plan_sequence
from services.worker.engine.tasks import PictureSize, Task

PROMPT = "A small red boat on a calm lake at dawn, seen from a wooden pier between two tall pine trees."
WARM_UP_STEPS = 4


@dataclass(frozen=True)
class Row:
    """One line of the table. Speeds are of all pictures together."""

    engine: str
    precision: str
    batch: int
    decoding: str
    tokens_per_second: float
    milliseconds_per_pass: float
    passes_per_picture: float
    bandwidth_fraction: float | None
    peak_mib: int


@dataclass(frozen=True)
class Drawing:
    """Pictures of this size, of which `drawn` codes are there already; `tokens` more are measured."""

    size: PictureSize
    tokens: int
    drawn: int = 0


def measure(loaded: LoadedModel, drawing: Drawing, *, batch: int, speculative: bool, bandwidth: float) -> Row:
    """Draw some tokens of each of `batch` pictures, then extrapolate the passes to whole ones."""
    plan = plan_sequence(
        loaded.vocabulary, loaded.text_tokenizer, PictureRequest(Task.TEXT_TO_IMAGE, PROMPT, drawing.size)
    )
    sampling = SamplingParameters(guidance_scale=4.0, top_k=2000, seed=7)
    codes = tuple(997 * cell % len(loaded.image_ids) for cell in range(drawing.drawn))
    first = GenerationRequest(plan, sampling, speculative=speculative, resume_codes=codes)
    engine = Engine(
        loaded,
        EngineOptions(kv_cache_tokens=batch * kv_cache_tokens(loaded, first), max_sequences=batch),
    )
    handles = [engine.submit(replace(first, image=index)) for index in range(batch)]
    while min(handle.progress.codes_drawn for handle in handles) < drawing.drawn + WARM_UP_STEPS:
        engine.step()
    seconds: list[float] = []
    before = sum(handle.progress.codes_drawn for handle in handles)
    while min(handle.progress.codes_drawn for handle in handles) < drawing.drawn + drawing.tokens:
        started = time.perf_counter()
        engine.step()
        seconds.append(time.perf_counter() - started)
    drawn = sum(handle.progress.codes_drawn for handle in handles) - before
    step = statistics.median(seconds)
    per_step = drawn / len(seconds)
    for handle in handles:
        handle.cancel()
    engine.step()
    return Row(
        engine="luminary",
        precision=loaded.precision.name,
        batch=batch,
        decoding="speculative" if speculative else "sequential",
        tokens_per_second=round(per_step / step, 2),
        milliseconds_per_pass=round(step * 1000, 2),
        passes_per_picture=round(len(plan.free_positions) * batch / per_step, 1),
        bandwidth_fraction=round(
            bytes_per_step(loaded, plan.image_start, batch, drawing) / step / bandwidth, 3
        ),
        peak_mib=peak_mib(loaded.device),
    )


def bytes_per_step(loaded: LoadedModel, prompt: int, batch: int, drawing: Drawing) -> float:
    """Bytes that a sequential step must read: projections, image head, filled caches."""
    parts = loaded.capabilities.weight_bytes
    # Both streams; of the measured tokens half are there on average.
    cached = batch * (prompt + 2 * drawing.drawn + drawing.tokens)
    return (
        parts["projections"]
        + parts["image head"]
        + cached * bytes_per_token(loaded.config, loaded.precision.dtype)
    )


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """All rows, in one run."""
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    bandwidth = read_bandwidth(device)
    drawing = Drawing(PictureSize.parse(arguments.size), arguments.tokens, arguments.drawn)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if not arguments.full_size:
            write_benchmark_model(folder)
        for name in arguments.precisions:
            dtype, _, rest = name.partition("+")
            if not rest and not arguments.full_size:
                speed = reference_tokens_per_second(folder, dtype, arguments.reference_tokens, device)
                rows.append(Row("transformers", dtype, 1, "sequential", speed, 1000 / speed, 1024, None, 0))
                print(rows[-1])
            precision = Precision.from_name(name)
            loaded = (
                load_full_size_model(precision, device)
                if arguments.full_size
                else load_model(folder, precision, device)
            )
            print(loaded.capabilities)
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(device)
            for batch in arguments.batches:
                for speculative in (False, True):
                    row = measure(loaded, drawing, batch=batch, speculative=speculative, bandwidth=bandwidth)
                    rows.append(row)
                    print(row, flush=True)
            del loaded
    return {
        "machine": describe_machine(device),
        "read_bandwidth_gb_per_second": round(bandwidth / 1e9, 1),
        "rows": [asdict(row) for row in rows],
    }


def main() -> None:
    """Read the arguments, measure, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16", "fp32+int8", "bf16+nf4"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 8])
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--drawn", type=int, default=0, help="codes that each picture begins with")
    parser.add_argument("--size", default="256x256", help="WIDTHxHEIGHT in pixels")
    parser.add_argument("--full-size", action="store_true", help="the 7B's shape")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--reference-tokens", type=int, default=48)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/engine.json"))
    arguments = parser.parse_args()
    results = run(arguments)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
