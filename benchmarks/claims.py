"""Measure claims, and other statements on the jobs' table, by the number of waiting and of ended jobs.

    python -m benchmarks.claims --out docs/benchmarks/claims.json --page docs/claim_benchmarks.md

It starts servers of its own and takes about ten minutes; run it on a quiet machine. --ended: jobs that have
ended before the second half. --quick: a tenth of everything, to try the program.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import func, select, text

from benchmarks.claim_lines import Lines
from benchmarks.claim_processes import (
    LEASE_SECONDS,
    Processes,
    Share,
    claim_once,
    milliseconds_of,
    quantile,
)
from benchmarks.claims_page import page
from benchmarks.machine import describe_machine
from infra.local.installation import migrate
from infra.local.postgres import DATABASE
from infra.local.stack import EmbeddedStack
from services.api.jobs.repository import JobFilter, list_jobs
from shared.database import Database
from shared.job_store import (
    expire_overdue_jobs,
    expire_undrawable_jobs,
    expire_unservable_jobs,
    extend_leases,
    queue_position,
    reap_expired_leases,
    waiting_queues,
)
from shared.settings import DatabaseSettings
from shared.tables import Job

PROJECTS = 1000
WORKERS = 64
HELD = 16
"""Leases that one heartbeat extends."""
WAIT_SECONDS = 600.0
WARM_UP = 10
"""Claims before the server's time is taken."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    waiting: tuple[int, ...] = (100, 10_000, 100_000)
    rounds: int = 3
    claims: int = 200
    """Claims of a round."""
    calls: int = 50
    """Calls of each other statement."""
    claims_of_a_worker: int = 20


QUICK = Sizes(waiting=(100, 1_000), rounds=3, claims=80, calls=10, claims_of_a_worker=5)


class Bench:
    """The database, and the processes that claim."""

    def __init__(self, stack: EmbeddedStack, sizes: Sizes) -> None:
        assert stack.postgres is not None
        self.sizes = sizes
        self.url = stack.environment["DATABASE_URL"]
        self._superuser_url = stack.postgres.superuser_url(DATABASE)
        limits = {"statement_timeout_seconds": 3600.0}
        self.database = Database(DatabaseSettings.model_validate({"url": self.url, **limits}))
        owner = {"url": stack.postgres.owner_url(), **limits}
        self._owner = Database(DatabaseSettings.model_validate(owner))
        self.lines = Lines(self.database, self._owner)
        self.lines.add_projects(PROJECTS)
        self._one, self._four = Processes(1, self.url), Processes(4, self.url)
        with psycopg.connect(self._superuser_url, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {DATABASE} SET track_functions = 'pl'".encode())

    def prepare(self, waiting: int, projects: list[UUID], spare: int) -> None:
        """End what runs, and fill up to so many waiting jobs, and some more to be claimed."""
        self.lines.end_running()
        with self.database.transaction() as session:
            now = session.scalars(select(func.count()).where(Job.state == "queued")).one()
        self.lines.add_waiting(max(0, waiting + spare - now), projects)
        self.lines.vacuum()

    def server_times(self) -> tuple[float, float]:
        """Milliseconds so far of all statements, and of the function that chooses a job, on the server."""
        time.sleep(1.5)  # statistics of closed connections arrive after at most a second
        with psycopg.connect(self._superuser_url, autocommit=True) as connection:
            row = connection.execute(
                "SELECT (SELECT active_time FROM pg_stat_database WHERE datname = current_database()),"
                " coalesce((SELECT sum(total_time) FROM pg_stat_user_functions"
                " WHERE funcname = 'lock_fairest_job'), 0)"
            ).fetchone()
        assert row is not None
        return float(row[0]), float(row[1])

    def claims(self, waiting: int, projects: list[UUID]) -> dict[str, Any]:
        """Claims a second of one thread, eight threads and four processes; server time of one claim."""
        sizes = self.sizes
        result: dict[str, Any] = {}
        for name, running, threads in (
            ("one", self._one, 1),
            ("threads", self._one, 8),
            ("processes", self._four, 1),
        ):
            rates: list[float] = []
            seconds: list[float] = []
            for _ in range(sizes.rounds):
                self.prepare(waiting, projects, sizes.claims)
                times = running.run(Share(threads, sizes.claims // (running.count * threads)))
                rates.append(len(times.seconds) / (times.end - times.begin))
                seconds += times.seconds
            result[f"{name}_per_second"] = round(statistics.median(rates), 1)
            result[f"{name}_p50_ms"] = round(1000 * quantile(sorted(seconds), 0.5), 2)
            result[f"{name}_p99_ms"] = round(1000 * quantile(sorted(seconds), 0.99), 2)
        return result | self.server_milliseconds(waiting, projects)

    def server_milliseconds(self, waiting: int, projects: list[UUID]) -> dict[str, float]:
        """The server's time of one claim, medians: elapsed in statements, of the processor, and choosing."""
        found: dict[str, list[float]] = {"server_ms": [], "server_cpu_ms": [], "choosing_ms": []}
        for _ in range(self.sizes.rounds):
            self.prepare(waiting, projects, self.sizes.claims)
            database = Database(DatabaseSettings.model_validate({"url": self.url, "pool_size": 1}))
            for _ in range(WARM_UP):
                claim_once(database, "worker-0")
            database.dispose()
            before = self.server_times()
            count = self.sizes.claims - WARM_UP
            claim_once(database, "worker-0")
            with database.transaction() as session:
                process = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
            busy = processor_milliseconds(process)
            for _ in range(count - 1):
                claim_once(database, "worker-0")
            found["server_cpu_ms"].append((processor_milliseconds(process) - busy) / (count - 1))
            database.dispose()
            after = self.server_times()
            found["server_ms"].append((after[0] - before[0]) / count)
            found["choosing_ms"].append((after[1] - before[1]) / count)
        return {name: round(statistics.median(values), 2) for name, values in found.items()}

    def workers(self, waiting: int, projects: list[UUID]) -> dict[str, Any]:
        """Claims of 64 slots in four processes, each with jobs that take a second."""
        self.prepare(waiting, projects, WORKERS * self.sizes.claims_of_a_worker)
        share = Share(WORKERS // 4, self.sizes.claims_of_a_worker, drawing_seconds=1.0)
        times = self._four.run(share)
        return {
            "workers": WORKERS,
            "claims": len(times.seconds),
            "per_second": round(len(times.seconds) / (times.end - times.begin), 1),
            "p50_ms": round(1000 * quantile(times.seconds, 0.5), 1),
            "p99_ms": round(1000 * quantile(times.seconds, 0.99), 1),
        }

    def others(self, waiting: int, projects: list[UUID]) -> dict[str, float]:
        """Median milliseconds of the other statements that run often."""
        self.prepare(waiting, projects, HELD)
        leases = [claim_once(self.database, "worker-0")[0].lease for _ in range(HELD)]
        with self.database.transaction() as session:
            last = session.scalars(
                select(Job).where(Job.state == "queued").order_by(Job.id.desc()).limit(1)
            ).one()
        calls = {
            "queue_position": lambda session: queue_position(session, last),
            "list": lambda session: list_jobs(session, last.project_id, JobFilter(), None, 20),
            "heartbeat": lambda session: extend_leases(session, leases, LEASE_SECONDS),
            "deadlines": expire_overdue_jobs,
            "models": lambda session: expire_unservable_jobs(session, WAIT_SECONDS),
            "numerics": lambda session: expire_undrawable_jobs(session, WAIT_SECONDS),
            "lost_workers": lambda session: reap_expired_leases(session, 3),
            "doorbells": waiting_queues,
        }

        def run(name: str) -> None:
            with self.database.transaction() as session:
                calls[name](session)

        medians: dict[str, float] = {}
        for name in calls:
            taken = milliseconds_of(lambda name=name: run(name), self.sizes.calls)
            medians[name] = round(statistics.median(taken), 2)
        return medians

    def measure(self, waiting: int, projects: list[UUID], ended: int) -> dict[str, Any]:
        """One row of the tables."""
        row = {
            "waiting": waiting,
            "projects": min(len(projects), waiting),
            "ended": ended,
            "claims": self.claims(waiting, projects),
            "others": self.others(waiting, projects),
            "load_average": Path("/proc/loadavg").read_text(encoding="ascii").split()[0],
        }
        print(json.dumps(row), flush=True)
        return row

    def close(self) -> None:
        """End the processes, and close all connections."""
        self._one.close()
        self._four.close()
        self.database.dispose()
        self._owner.dispose()


def processor_milliseconds(process: int) -> float:
    """Processor time of a process so far."""
    return int(Path(f"/proc/{process}/schedstat").read_text(encoding="ascii").split()[0]) / 1e6


def measure_all(bench: Bench, ended: int) -> Mapping[str, Any]:
    """All rows: growing lines, one long line of a single project, and both ends after many ended jobs."""
    many, longest, shortest = bench.lines.projects, bench.sizes.waiting[-1], bench.sizes.waiting[0]
    rows = [bench.measure(waiting, many, 0) for waiting in bench.sizes.waiting]
    bench.lines.clear()
    rows.append(bench.measure(longest, many[:1], longest))
    bench.lines.clear()
    bench.lines.add_ended(ended)
    rows.append(bench.measure(shortest, many, ended))
    rows.append(bench.measure(longest, many, ended))
    return {"rows": rows, "workers": bench.workers(longest, many)}


def main() -> None:
    """Measure, and write the results as JSON and as a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--page", type=Path, required=True)
    parser.add_argument("--ended", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    machine = describe_machine()
    with (
        tempfile.TemporaryDirectory(prefix="luminary-benchmark-") as name,
        EmbeddedStack(Path(name) / "stack", environment={}) as stack,
    ):
        assert stack.postgres is not None
        migrate(stack.postgres.owner_url())
        bench = Bench(stack, QUICK if arguments.quick else Sizes())
        results = {"machine": machine, **measure_all(bench, arguments.ended)}
        bench.close()
    arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    arguments.page.write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
