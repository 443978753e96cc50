"""Measure event streams: 200 readers over 100 jobs, their latency, and what faults cost.

    python -m benchmarks.streams --out docs/benchmarks/streams.json --page docs/stream_benchmarks.md

Runs a gateway on embedded servers with durable commits, and acts as the worker:

idle    milliseconds from the writing of an event to its arrival at a reader, while nothing else runs
busy    the same while two processes draw pictures, one for each core of a machine with two
faults  the gateway is killed twice and Valkey once while jobs run; every reader must have every event once,
        in order

The memory of the gateway is read after each round of the first two.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from pydantic import SecretStr
from sqlalchemy import select

from benchmarks.health_probe import answers
from benchmarks.machine import describe_machine
from benchmarks.platform_models import BareModels, write_models
from benchmarks.random_model import SMALL
from benchmarks.stream_jobs import BenchmarkJobs
from benchmarks.stream_readers import StreamReader
from benchmarks.streams_page import page
from infra.local.installation import another_api_key, migrate
from infra.local.ports import free_ports
from infra.local.stack import EmbeddedStack
from services.worker.model.engine_host import give_way_to_requests
from shared.database import Database
from shared.events import EventPublisher
from shared.ids import IdKind, format_id
from shared.settings import DatabaseSettings
from shared.tables import Project

JOBS, READERS_PER_JOB, ROUNDS = 100, 2, 3
PAUSE_SECONDS = 0.01
FAULT_PAUSE_SECONDS = 0.04
KILLS = {20: "gateway", 45: "valkey", 70: "gateway"}
"""The job before which a process is killed."""
VALKEY_AWAY_SECONDS = 3.0
START_SECONDS = 60.0
PROJECT = "streams"


class Gateway:
    """A gateway process on one port, which can be killed and started again."""

    def __init__(self, environment: Mapping[str, str], more: Mapping[str, str]) -> None:
        """more: settings beside those of the servers."""
        (self.port,) = free_ports(1)
        self._environment = {**os.environ, **environment, "GATEWAY_PORT": str(self.port), **more}
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "services.api"]
        return subprocess.Popen(command, env=self._environment, stderr=subprocess.DEVNULL)

    def wait(self) -> None:
        """Wait until it is ready. Raises RuntimeError."""
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.port, "/readyz"):
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("the gateway did not start")
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill it without notice, and start it again."""
        self.stop()
        self._process = self._start()

    def stop(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()

    def resident_mib(self) -> float:
        """Resident memory in MiB."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text(encoding="utf-8").split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def draw_without_end(folder: str) -> None:
    """Keep one core busy with the engine and the image tokenizer."""
    torch.set_num_threads(1)
    give_way_to_requests()  # as the engine's thread in a worker does
    models = BareModels(Path(folder), "a red circle", "96x96")
    seed = 0
    while True:
        models.draw(seed)
        seed += 1


@contextmanager
def both_cores_drawing(folder: Path) -> Generator[None]:
    """Draw in two processes during the block."""
    context = multiprocessing.get_context("spawn")
    drawing = [context.Process(target=draw_without_end, args=(str(folder),), daemon=True) for _ in range(2)]
    for process in drawing:
        process.start()
    time.sleep(10.0)  # both have loaded their models
    try:
        yield
    finally:
        for process in drawing:
            process.kill()
            process.join()


async def follow(
    gateway: Gateway, key: str, jobs: BenchmarkJobs, pause_seconds: float, kills: Mapping[int, Any]
) -> tuple[list[StreamReader], list[str]]:
    """Open all streams and run the jobs. Returns the readers, and jobs with missed or doubled events."""
    ids = await asyncio.to_thread(jobs.submit, JOBS)
    names = [format_id(IdKind.JOB, job_id) for job_id in ids for _ in range(READERS_PER_JOB)]
    readers = [StreamReader(gateway.port, key, name) for name in names]
    tasks = [asyncio.create_task(reader.follow()) for reader in readers]
    await asyncio.gather(*(reader.is_open.wait() for reader in readers))

    def before_job(number: int) -> None:
        if number in kills:
            kills[number]()

    await asyncio.to_thread(jobs.run_all, JOBS, pause_seconds, before_job)
    await asyncio.wait_for(asyncio.gather(*tasks), timeout=60.0)
    expected = {format_id(IdKind.JOB, job_id): found for job_id, found in jobs.sequences(ids).items()}
    return readers, [reader.job_id for reader in readers if reader.sequences != expected[reader.job_id]]


def latency(readers: Sequence[StreamReader]) -> dict[str, Any]:
    """Milliseconds of the live events; the first one of each reader comes from the past."""
    live = sorted(ms for reader in readers for ms in reader.milliseconds[1:])
    cuts = statistics.quantiles(live, n=100)
    return {
        "events": len(live),
        "p50_ms": round(cuts[49], 1),
        "p99_ms": round(cuts[98], 1),
        "longest_ms": round(live[-1], 1),
    }


def measured_rounds(gateway: Gateway, key: str, jobs: BenchmarkJobs) -> dict[str, Any]:
    """Latency over some rounds, and the gateway's memory after each."""
    readers: list[StreamReader] = []
    memory: list[float] = []
    for _ in range(ROUNDS):
        more, wrong = asyncio.run(follow(gateway, key, jobs, PAUSE_SECONDS, {}))
        if wrong:
            raise RuntimeError(f"events were missed or doubled: {wrong}")
        readers += more
        memory.append(gateway.resident_mib())
    return {**latency(readers), "readers_per_round": JOBS * READERS_PER_JOB, "resident_mib": memory}


def faults(gateway: Gateway, key: str, jobs: BenchmarkJobs, stack: EmbeddedStack) -> dict[str, Any]:
    """Kill the gateway twice and Valkey once while jobs run, and count what the readers missed or doubled."""
    valkey = next(process for process in stack.processes if process.name == "valkey")

    def kill_valkey() -> None:
        valkey.kill()
        time.sleep(VALKEY_AWAY_SECONDS)
        valkey.start()

    actions = {"gateway": gateway.kill, "valkey": kill_valkey}
    kills = {number: actions[name] for number, name in KILLS.items()}
    readers, wrong = asyncio.run(follow(gateway, key, jobs, FAULT_PAUSE_SECONDS, kills))
    return {
        "killed": list(KILLS.values()),
        "readers": len(readers),
        "events": sum(len(reader.sequences) for reader in readers),
        "connections": sum(reader.connections for reader in readers),
        "readers_with_missed_or_doubled_events": len(wrong),
    }


def measure(folder: Path) -> dict[str, Any]:
    """Run everything below a folder."""
    machine = describe_machine()
    model = write_models(folder / "model", SMALL)
    with ExitStack() as exits:
        stack = exits.enter_context(EmbeddedStack(folder / "stack", environment={}))
        if stack.postgres is None:
            raise RuntimeError("the embedded stack has no PostgreSQL")
        migrate(stack.postgres.owner_url())
        url = stack.environment["DATABASE_URL"]
        key = another_api_key(url, PROJECT, "benchmark")
        database = Database(DatabaseSettings(url=SecretStr(url)))
        exits.callback(database.dispose)
        publisher = EventPublisher(stack.environment["REDIS_URL"])
        exits.callback(publisher.close)
        with database.transaction() as session:
            project_id = session.scalars(select(Project.id).where(Project.name == PROJECT)).one()
        jobs = BenchmarkJobs(database, publisher, project_id)
        gateway = Gateway(stack.environment, {"GATEWAY_MAX_STREAMS_PER_PROJECT": "500"})
        exits.callback(gateway.stop)
        gateway.wait()
        results = {"machine": machine, "idle": measured_rounds(gateway, key, jobs)}
        with both_cores_drawing(model):
            results["busy"] = measured_rounds(gateway, key, jobs)
        results["faults"] = faults(gateway, key, jobs, stack)
    return results


def main() -> None:
    """Measure, then write the results as JSON and as a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--page", type=Path, required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="luminary-streams-") as name:
        results = measure(Path(name))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    arguments.page.write_text(page(results), encoding="utf-8")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
