"""Measure what one project does to another one's requests: 500 streams and 500 waits of the first.

    python -m benchmarks.neighbours --out docs/benchmarks/neighbours.json

It starts servers of its own and takes two minutes; run it on a quiet machine. The gateway has its default
limits, but for the number of waiting jobs: it refuses most of the streams and waits. Those clients come again
when `Retry-After` says so, or after a second. The other project sends one request after another.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
from pydantic import SecretStr
from sqlalchemy import select

from benchmarks.machine import describe_machine
from benchmarks.stream_jobs import BenchmarkJobs
from benchmarks.streams import Gateway
from infra.local.installation import another_api_key, migrate
from infra.local.stack import EmbeddedStack
from shared.database import Database
from shared.events import EventPublisher
from shared.ids import IdKind, format_id
from shared.settings import DatabaseSettings
from shared.tables import Project

if TYPE_CHECKING:
    from multiprocessing.queues import Queue as Channel

GREEDY, OTHER = "greedy", "other"
CLIENTS = 500
"""Streams, and as many waits, that the greedy project opens."""
SETTLE_SECONDS, SECONDS = 15.0, 30.0
AGAIN_SECONDS = 1.0
NO_LIMIT = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
BODY = {"prompt": "a red circle", "size": "64x64"}


class GreedyClients:
    """Every stream and wait of the greedy project, in one event loop."""

    def __init__(self, client: httpx2.AsyncClient, job: str) -> None:
        self._client, self._job = client, job
        self.answers: Counter[str] = Counter()
        """Number of answers by kind of request and status."""

    async def run(self) -> None:
        """Open them all, and open each again whenever it has ended."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(self._follow())
                group.create_task(self._wait())

    async def _follow(self) -> None:
        while True:
            async with self._client.stream("GET", "/v1/events") as answer:
                self.answers[f"stream {answer.status_code}"] += 1
                async for _ in answer.aiter_raw():
                    pass
            await asyncio.sleep(pause_of(answer))

    async def _wait(self) -> None:
        while True:
            answer = await self._client.get(f"/v1/jobs/{self._job}", headers={"Prefer": "wait=30"})
            self.answers[f"wait {answer.status_code}"] += 1
            await asyncio.sleep(pause_of(answer))


def pause_of(answer: httpx2.Response) -> float:
    """Seconds until the client asks again."""
    return float(answer.headers.get("Retry-After", AGAIN_SECONDS))


async def neighbour(client: httpx2.AsyncClient, seconds: float) -> dict[str, list[float]]:
    """Milliseconds of the other project's requests."""
    taken: dict[str, list[float]] = {"list": [], "submit": [], "read": []}
    job = ""
    ends = time.monotonic() + seconds
    for kind in itertools.cycle(("submit", "read", "list")):
        if time.monotonic() > ends:
            return taken
        started = time.perf_counter()
        match kind:
            case "submit":
                answer = await client.post("/v1/jobs", json=BODY)
            case "read":
                answer = await client.get(f"/v1/jobs/{job}")
            case _:
                answer = await client.get("/v1/jobs")
        answer.raise_for_status()
        job = answer.json().get("id", job)
        taken[kind].append(1000 * (time.perf_counter() - started))
    return taken


def summary(taken: dict[str, list[float]]) -> dict[str, Any]:
    """p50 and p99 of each kind of request, and of all."""
    return {
        kind: {"requests": len(found), **percentiles(found)}
        for kind, found in {**taken, "all": list(itertools.chain(*taken.values()))}.items()
    }


def percentiles(found: Sequence[float]) -> dict[str, float]:
    """Milliseconds."""
    cuts = statistics.quantiles(found, n=100)
    return {"p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1), "longest_ms": round(max(found), 1)}


def client_of(url: str, key: str) -> httpx2.AsyncClient:
    """A client with as many connections as it likes."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx2.AsyncClient(base_url=url, headers=headers, timeout=120.0, limits=NO_LIMIT)


def be_greedy(url: str, key: str, job: str, answers: "Channel[dict[str, int]]") -> None:
    """Run the greedy project's clients for as long as the other project is measured beside them."""

    async def run() -> None:
        async with client_of(url, key) as client:
            clients = GreedyClients(client, job)
            running = asyncio.create_task(clients.run())
            await asyncio.sleep(SETTLE_SECONDS + SECONDS)
            running.cancel()
            await asyncio.wait([running])
            answers.put(dict(clients.answers))

    asyncio.run(run())


async def requests_of(url: str, key: str) -> dict[str, list[float]]:
    """Milliseconds of the other project's requests, after some to warm up."""
    async with client_of(url, key) as client:
        await neighbour(client, 1.0)
        return await neighbour(client, SECONDS)


def compare(url: str, keys: dict[str, str], job: str) -> dict[str, Any]:
    """The other project's requests alone, and beside the greedy project's, which have their own process."""
    alone = asyncio.run(requests_of(url, keys[OTHER]))
    context = multiprocessing.get_context("spawn")
    answers: Channel[dict[str, int]] = context.Queue()
    greedy = context.Process(target=be_greedy, args=(url, keys[GREEDY], job, answers), daemon=True)
    greedy.start()
    time.sleep(SETTLE_SECONDS)
    beside = asyncio.run(requests_of(url, keys[OTHER]))
    found = answers.get(timeout=60)
    greedy.join()
    return {"alone": summary(alone), "beside": summary(beside), "greedy": found}


def measure(folder: Path) -> dict[str, Any]:
    """Run everything below a folder."""
    machine = describe_machine()
    with ExitStack() as exits:
        stack = exits.enter_context(EmbeddedStack(folder / "stack", environment={}))
        assert stack.postgres is not None
        migrate(stack.postgres.owner_url())
        url = stack.environment["DATABASE_URL"]
        keys = {name: another_api_key(url, name, "benchmark") for name in (GREEDY, OTHER)}
        database = Database(DatabaseSettings(url=SecretStr(url)))
        exits.callback(database.dispose)
        publisher = EventPublisher(stack.environment["REDIS_URL"])
        exits.callback(publisher.close)
        with database.transaction() as session:
            project_id = session.scalars(select(Project.id).where(Project.name == GREEDY)).one()
        [job] = BenchmarkJobs(database, publisher, project_id).submit(1)
        gateway = Gateway(stack.environment, {"GATEWAY_MAX_QUEUED_JOBS": "100000"})
        exits.callback(gateway.stop)
        gateway.wait()
        address = f"http://127.0.0.1:{gateway.port}"
        figures = compare(address, keys, format_id(IdKind.JOB, job))
        return {"machine": machine, "resident_mib": gateway.resident_mib(), **figures}


def main() -> None:
    """Measure, and write the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="luminary-neighbours-") as name:
        results = measure(Path(name))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
