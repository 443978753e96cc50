"""Measure what tracing adds to a tiny job.

    python -m benchmarks.tracing --out docs/benchmarks/tracing.json                 both parts, minutes
    python -m benchmarks.tracing --out docs/benchmarks/tracing.json --blocks 0      spans alone, seconds

spans  CPU time of making the spans of one job, and of exporting them, without any job
jobs   whole jobs with and without spans, on a quiet machine

Gateway, tokenizer service and worker run in threads of this process on embedded servers, so that the CPU time
of the process is that of the services. Blocks of ten jobs run in turn with a `traceparent` that is sampled,
and with one that is not, with which no span is made. The CPU time of a block includes the export of its spans
to a collector in another process. The intervals are bootstraps of the medians over the pairs of blocks.
"""

import argparse
import json
import multiprocessing
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import httpx2
import torch
import uvicorn
from fastapi import FastAPI

from benchmarks.machine import describe_machine
from benchmarks.platform_models import DTYPE, write_models
from benchmarks.random_model import SMALL
from infra.local.installation import migrate
from infra.local.ports import free_ports
from infra.local.stack import EmbeddedStack
from services.api.app import create_app as create_gateway
from services.tokenizer.app import create_app as create_tokenizer
from services.worker.broker.doorbells import Bell
from services.worker.gpu_worker import GpuWorker
from services.worker.health import Health
from services.worker.settings import GpuWorkerProcessSettings
from shared.database import Database
from shared.jobs import Queue
from shared.security import generate_api_key, generate_webhook_secret
from shared.settings import DatabaseSettings, load_settings
from shared.tables import ApiKey, Project
from shared.tracing.contexts import JobTrace
from shared.tracing.setup import configure_tracing, flush_tracing
from shared.tracing.spans import leaf

if TYPE_CHECKING:
    from multiprocessing.queues import Queue as Channel

SIZE, PROMPT = "64x64", "a red circle"
RESAMPLES = 2000
SPANS = 16
"""Spans of a job without pictures to read: 14, and one for each try of its webhook."""
BLOCK, ROUNDS = 10, 30
START_SECONDS = 120.0
SAMPLED, DROPPED = "01", "00"


class Cost(NamedTuple):
    """Milliseconds of one job: from the request to the answer, and of CPU in all threads."""

    wall: float
    cpu: float


class Collector(BaseHTTPRequestHandler):
    """Accepts spans and drops them."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer 200 without a body."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
        """Log nothing."""


def collect(ports: "Channel[int]") -> None:
    """Run a collector and report its port."""
    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        ports.put(server.server_port)
        server.serve_forever()


@contextmanager
def collector() -> Generator[str]:
    """Run a collector in another process and yield its URL."""
    context = multiprocessing.get_context("spawn")
    ports: Channel[int] = context.Queue()
    process = context.Process(target=collect, args=(ports,), daemon=True)
    process.start()
    yield f"http://127.0.0.1:{ports.get(timeout=START_SECONDS)}"
    process.terminate()
    process.join()


@contextmanager
def served(app: FastAPI, port: int) -> Generator[None]:
    """Run an application in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if time.monotonic() > deadline:
            raise RuntimeError("a service did not start")
        time.sleep(0.05)
    yield
    server.should_exit = True
    thread.join()


@contextmanager
def platform(folder: Path) -> Generator[httpx2.Client]:
    """Run the services and yield a client of the gateway."""
    model = write_models(folder / "model", SMALL)
    gateway_port, tokenizer_port = free_ports(2)
    with ExitStack() as exits:
        stack = exits.enter_context(EmbeddedStack(folder / "stack", environment={}))
        os.environ |= {
            **stack.environment,
            "TOKENIZER_MODEL": str(model / "movqgan"),
            "TOKENIZER_DEVICE": "cpu",
            "TOKENIZER_URL": f"http://127.0.0.1:{tokenizer_port}",
            "WORKER_MODEL": str(model),
            "WORKER_DEVICE": "cpu",
            "WORKER_DTYPE": DTYPE,
            "JOB_POLL_SECONDS": "0.02",
        }
        if stack.postgres is None:
            raise RuntimeError("the benchmark needs the embedded PostgreSQL: unset DATABASE_URL")
        migrate(stack.postgres.owner_url())
        exits.enter_context(served(create_tokenizer(), tokenizer_port))
        exits.enter_context(served(create_gateway(), gateway_port))
        worker = GpuWorker(load_settings(GpuWorkerProcessSettings), tuple(Queue), Bell(), Health())
        worker.start()
        exits.callback(worker.drain.wait)
        exits.callback(worker.drain.request)
        headers = {"Authorization": f"Bearer {make_key(stack)}"}
        url = f"http://127.0.0.1:{gateway_port}"
        yield exits.enter_context(httpx2.Client(base_url=url, headers=headers, timeout=START_SECONDS))


def make_key(stack: EmbeddedStack) -> str:
    """Create a project and return its API key."""
    database = Database(DatabaseSettings.model_validate({"url": stack.environment["DATABASE_URL"]}))
    key = generate_api_key()
    with database.transaction() as session:
        project = Project(name="benchmark", webhook_secret=generate_webhook_secret())
        session.add(project)
        session.flush()
        session.add(ApiKey(project_id=project.id, name="benchmark", hint=key.hint, sha256=key.sha256))
    database.dispose()
    return key.token


def headers_of(flags: str) -> dict[str, str]:
    """Headers of a request in a new trace."""
    trace, span = f"{random.getrandbits(128):032x}", f"{random.getrandbits(64):016x}"
    return {"Prefer": "wait=60", "traceparent": f"00-{trace}-{span}-{flags}"}


def draw(client: httpx2.Client, seed: int, flags: str) -> float:
    """Run one job; return its milliseconds from the request to the answer."""
    body = {"prompt": PROMPT, "size": SIZE, "seed": seed}
    began = time.perf_counter()
    job = client.post("/v1/jobs", json=body, headers=headers_of(flags)).raise_for_status().json()
    if job["status"] != "succeeded":
        raise RuntimeError(f"the job is {job['status']}: {job['error']}")
    return 1000 * (time.perf_counter() - began)


def draw_block(client: httpx2.Client, seed: int, flags: str) -> Cost:
    """Run ten jobs and export their spans; return the cost of one."""
    cpu = time.process_time()
    walls = [draw(client, seed + number, flags) for number in range(BLOCK)]
    flush_tracing()
    return Cost(statistics.median(walls), 1000 * (time.process_time() - cpu) / BLOCK)


def pairs(client: httpx2.Client, count: int) -> list[tuple[Cost, Cost]]:
    """Costs of jobs without and with spans; the first jobs, which connect, are not kept.

    No seed occurs twice: the tokenizer service keeps the pictures that it has decoded.
    """
    for flags in (SAMPLED, DROPPED):
        draw(client, 0, flags)
    found: list[tuple[Cost, Cost]] = []
    for number in range(count):
        order = (DROPPED, SAMPLED) if number % 2 else (SAMPLED, DROPPED)
        seeds = {DROPPED: 1 + BLOCK * number, SAMPLED: 1_000_000 + BLOCK * number}
        costs = {flags: draw_block(client, seeds[flags], flags) for flags in order}
        found.append((costs[DROPPED], costs[SAMPLED]))
    return found


def make_spans(flags: str) -> None:
    """Make as many spans as a job has."""
    job = JobTrace.of(uuid4(), headers_of(flags)["traceparent"])
    for _ in range(SPANS):
        with leaf("span", dict.fromkeys(map(str, range(6)), "a value"), parent=job and job.inside(1)):
            pass


def cpu_of_spans() -> dict[str, float]:
    """Medians of CPU time: the spans of one job, the same not sampled, and one export of ten jobs."""
    made: dict[str, list[float]] = {SAMPLED: [], DROPPED: [], "export": []}
    for _ in range(ROUNDS):
        for flags in (SAMPLED, DROPPED):
            for _ in range(BLOCK):
                began = time.process_time()
                make_spans(flags)
                made[flags].append(1000 * (time.process_time() - began))
            began = time.process_time()
            flush_tracing()
            if flags == SAMPLED:
                made["export"].append(1000 * (time.process_time() - began))
    names = {
        SAMPLED: "of_one_job_ms",
        DROPPED: "of_one_job_not_sampled_ms",
        "export": "export_of_ten_jobs_ms",
    }
    return {"spans": SPANS, **{names[key]: round(statistics.median(times), 3) for key, times in made.items()}}


def overhead(measured: Sequence[tuple[float, float]]) -> float:
    """Percent by which the median with spans is larger."""
    off, on = zip(*measured, strict=True)
    return 100 * (statistics.median(on) / statistics.median(off) - 1)


def summary(measured: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Medians in milliseconds, and the overhead in percent with its 95 % interval."""
    chance = random.Random(1)  # noqa: S311  (resampling)
    resampled = sorted(overhead(chance.choices(measured, k=len(measured))) for _ in range(RESAMPLES))
    off, on = zip(*measured, strict=True)
    return {
        "off_ms": round(statistics.median(off), 2),
        "on_ms": round(statistics.median(on), 2),
        "overhead_percent": round(overhead(measured), 2),
        "interval_percent": [round(resampled[int(share * (RESAMPLES - 1))], 2) for share in (0.025, 0.975)],
    }


def main() -> None:
    """Measure and write the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--blocks", type=int, default=20, help="Pairs of blocks of ten jobs.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Any] = {"machine": describe_machine()}
    with tempfile.TemporaryDirectory(prefix="luminary-benchmark-") as name, collector() as url:
        os.environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "3600000"}
        configure_tracing("benchmark")
        results["spans"] = cpu_of_spans()
        if arguments.blocks:
            with platform(Path(name)) as client:
                measured = pairs(client, arguments.blocks)
            results |= {
                "jobs": BLOCK * len(measured),
                "size": SIZE,
                "cpu": summary([(off.cpu, on.cpu) for off, on in measured]),
                "wall": summary([(off.wall, on.wall) for off, on in measured]),
            }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
