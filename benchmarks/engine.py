"""Compare the decoding speed of the engine with Hugging Face transformers' Chameleon on the same weights.

    python -m benchmarks.engine --out docs/benchmarks/engine.json
    python -m benchmarks.engine --device cuda --full-size --size 768x768 --drawn 1152 --precisions bf16

A model with random weights (hidden 1024, 12 layers, 16 heads, 8,192 ids; with --full-size the 7B's shape)
draws pictures at guidance 4. The result of a round is the median over its decoding steps, without prefill and
the first steps; the published result is the median over rounds. Ratios compare results of the same round.
The bytes read per step are those of the weights that a step needs, without embedding table and unused output
rows, and of the filled key-value cache.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import torch

from benchmarks.device_model import load_full_size_model
from benchmarks.machine import describe_machine, peak_mib, read_bandwidth
from benchmarks.random_model import write_benchmark_model
from benchmarks.reference_decoding import ReferenceDecoding
from benchmarks.rounds import Row, medians, ratios
from services.worker.engine.engine import Engine, EngineOptions, kv_cache_tokens
from services.worker.engine.handle import Handle
from services.worker.engine.kernels.precision import Precision, Quantization
from services.worker.engine.layout.picture_size import PictureSize
from services.worker.engine.layout.prompts import PictureRequest
from services.worker.engine.layout.sequence_plan import plan_sequence
from services.worker.engine.loading.load import LoadedModel, load_model
from services.worker.engine.model.kv_cache import bytes_per_token
from services.worker.engine.request import GenerationRequest
from services.worker.engine.sampling.filters import SamplingParameters
from shared.tasks import Task

PROMPT = "A small red boat on a calm lake at dawn, seen from a wooden pier between two tall pine trees."
WARM_UP_STEPS = 4
CODE_PIXELS = 8
"""Pixels on each side of a cell."""


@dataclass(frozen=True)
class Drawing:
    """The workload: pictures of `size` that start with `drawn` codes, and `tokens` more to measure."""

    size: PictureSize
    tokens: int
    drawn: int = 0


def measure(loaded: LoadedModel, drawing: Drawing, *, batch: int, speculative: bool, bandwidth: float) -> Row:
    """Draw some tokens of each of `batch` pictures; extrapolate the number of passes to whole pictures."""
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
    while min(handle.progress.tokens_done for handle in handles) < drawing.drawn + WARM_UP_STEPS:
        advance(engine, handles)
    seconds: list[float] = []
    before = sum(handle.progress.tokens_done for handle in handles)
    while min(handle.progress.tokens_done for handle in handles) < drawing.drawn + drawing.tokens:
        started = time.perf_counter()
        advance(engine, handles)
        seconds.append(time.perf_counter() - started)
    drawn = sum(handle.progress.tokens_done for handle in handles) - before
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


def advance(engine: Engine, handles: Sequence[Handle]) -> None:
    """One pass. Raises the error of a picture that failed in it."""
    engine.step()
    for handle in handles:
        handle.raise_failure()


def bytes_per_step(loaded: LoadedModel, prompt: int, batch: int, drawing: Drawing) -> float:
    """Bytes that a sequential step reads on average: projections, image head, filled caches.

    prompt: tokens before the image.
    """
    parts = loaded.capabilities.weight_bytes
    # two streams share the prompt once; half of the measured tokens are in the cache on average
    cached = batch * (prompt + 2 * drawing.drawn + drawing.tokens)
    return (
        parts["projections"]
        + parts["image head"]
        + cached * bytes_per_token(loaded.config, loaded.precision.dtype)
    )


class Subject:
    """A model in a separate process, so that its peak memory can be measured and models can take turns."""

    def __init__(self, load: Callable[..., None], *arguments: object) -> None:
        self._process = ProcessPoolExecutor(
            1, mp_context=get_context("spawn"), initializer=load, initargs=arguments
        )

    def ask(self, question: Callable[..., Row], *arguments: object) -> Row:
        """Call `question` in the process and return its result."""
        return self._process.submit(question, *arguments).result()


_engines: list[LoadedModel] = []
_references: list[tuple[ReferenceDecoding, str]] = []
"""The model of a subject's process, in one of the two lists."""


def load_engine(folder: Path | None, precision: Precision, device: torch.device, threads: int) -> None:
    """Load the engine's model in a subject's process. folder: None for the 7B's shape."""
    torch.set_num_threads(threads)
    _engines.append(
        load_full_size_model(precision, device) if folder is None else load_model(folder, precision, device)
    )
    print(_engines[0].capabilities, flush=True)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def measure_engine(drawing: Drawing, batch: int, speculative: bool, bandwidth: float) -> Row:
    """Measure the engine in a subject's process."""
    return measure(_engines[0], drawing, batch=batch, speculative=speculative, bandwidth=bandwidth)


def load_reference(folder: Path, dtype: str, device: torch.device, threads: int) -> None:
    """Load transformers' model in a subject's process."""
    torch.set_num_threads(threads)
    _references.append((ReferenceDecoding(folder, dtype, device), dtype))


def measure_reference(tokens: int, codes: int) -> Row:
    """Measure transformers in a subject's process. codes: number of codes, and passes, of a whole picture."""
    model, dtype = _references[0]
    speed = model.tokens_per_second(tokens)
    return Row(
        "transformers",
        dtype,
        1,
        "sequential",
        round(speed, 2),
        round(1000 / speed, 2),
        codes,
        None,
        peak_mib(model.device),
    )


def one_round(
    engines: Iterable[Subject], references: Iterable[Subject], arguments: argparse.Namespace
) -> list[Row]:
    """Measure every row once."""
    bandwidth = read_bandwidth(torch.device(arguments.device))
    size = PictureSize.parse(arguments.size)
    drawing = Drawing(size, arguments.tokens, arguments.drawn)
    codes = (size.width // CODE_PIXELS) * (size.height // CODE_PIXELS)
    rows = [each.ask(measure_reference, arguments.tokens, codes) for each in references]
    for engine in engines:
        for batch in arguments.batches:
            rows += [engine.ask(measure_engine, drawing, batch, way, bandwidth) for way in (False, True)]
    for row in rows:
        print(row, flush=True)
    return rows


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Measure all rows in several rounds, so that a change of the machine's speed affects all rows alike."""
    device = torch.device(arguments.device)
    precisions = [Precision.from_name(name) for name in arguments.precisions]
    plain = [each.name for each in precisions if each.quantization is Quantization.NONE]
    settings = (device, arguments.threads)
    machine, bandwidth = describe_machine(device), read_bandwidth(device)
    with tempfile.TemporaryDirectory() as scratch:
        folder = None if arguments.full_size else Path(scratch)
        references: list[Subject] = []
        if folder is not None:
            write_benchmark_model(folder)
            references = [Subject(load_reference, folder, name, *settings) for name in plain]
        engines = [Subject(load_engine, folder, precision, *settings) for precision in precisions]
        rounds = [one_round(engines, references, arguments) for _ in range(arguments.rounds)]
    return {
        "machine": machine,
        "read_bandwidth_gb_per_second": round(bandwidth / 1e9, 1),
        "rounds": arguments.rounds,
        "rows": [asdict(row) for row in medians(rounds)],
        "ratios": [asdict(ratio) for ratio in ratios(rounds)],
    }


def main() -> None:
    """Read the arguments, measure, and write the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--precisions", nargs="+", default=["fp32", "bf16", "fp32+int8", "bf16+int8", "bf16+nf4"]
    )
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 8])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=48, help="measured tokens of each picture in a round")
    parser.add_argument("--drawn", type=int, default=0, help="codes that each picture starts with")
    parser.add_argument("--size", default="256x256", help="WIDTHxHEIGHT in pixels")
    parser.add_argument("--full-size", action="store_true", help="the 7B's shape")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/engine.json"))
    arguments = parser.parse_args()
    results = run(arguments)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
