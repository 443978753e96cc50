"""Measure the removal of old events, and how reads would differ if events were partitioned by month.

    python -m benchmarks.old_events --out docs/benchmarks/old_events.json

It starts servers of its own and takes a few minutes; run it on a quiet machine. --jobs: ended jobs with three
events each, of which half of the projects keep none.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text, update

from benchmarks.claim_lines import Lines
from benchmarks.claim_processes import claim_once, quantile, warm_up
from benchmarks.machine import describe_machine
from infra.local.installation import migrate
from infra.local.stack import EmbeddedStack
from shared.database import Database
from shared.job_store.old_events import delete_old_events, projects_with_old_events
from shared.settings import DatabaseSettings, RetentionSettings
from shared.tables import Project

PROJECTS = 200
CLAIMS = 300
MONTHS = 24
READS = 100
CHUNK = 1000
"""Events that one transaction looks at, as an io worker does."""
EARLIER_EVENTS = text("""
INSERT INTO job_events (job_id, sequence, attempt, kind, project_id, created_at)
SELECT jobs.id, sequence, sequence - 1, CASE sequence WHEN 1 THEN 'queued' ELSE 'started' END,
    jobs.project_id, jobs.created_at
FROM jobs CROSS JOIN generate_series(1, 2) AS sequence
WHERE state = 'succeeded' AND 1 = (SELECT count(*) FROM job_events event WHERE event.job_id = jobs.id)
""")
PAGE = """
SELECT * FROM {table} WHERE project_id = :project AND (xid, job_id, sequence) > ('1'::xid8, :nothing, 0)
ORDER BY xid, job_id, sequence LIMIT 100
"""
HISTORY = "SELECT * FROM {table} WHERE job_id = :job ORDER BY sequence"
SIZE = text("SELECT pg_total_relation_size('job_events')")


class Bench:
    """A database with ended jobs, their events, and some jobs that wait."""

    def __init__(self, stack: EmbeddedStack, jobs: int) -> None:
        assert stack.postgres is not None
        limits = {"statement_timeout_seconds": 3600.0}
        self.database = Database(
            DatabaseSettings.model_validate({"url": stack.environment["DATABASE_URL"], **limits})
        )
        self.owner = Database(DatabaseSettings.model_validate({"url": stack.postgres.owner_url(), **limits}))
        self.lines = Lines(self.database, self.owner)
        self.lines.add_projects(PROJECTS)
        self.jobs = jobs
        with self.database.transaction() as session:
            self.forgetful = self.lines.projects[: PROJECTS // 2]
            session.execute(
                update(Project).where(Project.id.in_(self.forgetful)).values(retain_events_seconds=0)
            )

    def fill(self) -> None:
        """Add ended jobs with their events, then settle the tables."""
        self.lines.add_ended(self.jobs)
        with self.database.transaction() as session:
            session.execute(EARLIER_EVENTS)
        self.lines.vacuum()

    def size(self) -> int:
        """Bytes of the events with their indexes."""
        with self.database.transaction() as session:
            return int(session.execute(SIZE).scalar_one())

    def claims(self) -> list[float]:
        """Seconds of each of some claims of one thread."""
        self.lines.add_waiting(CLAIMS, self.lines.projects)
        warm_up(self.database)
        seconds = [claim_once(self.database, "worker-0")[1] for _ in range(CLAIMS)]
        self.lines.end_running()
        return sorted(seconds)

    def delete(self) -> tuple[int, float]:
        """Remove what may go, as the io worker does; events looked at, and seconds."""
        started, seen = time.monotonic(), 0
        with self.database.transaction() as session:
            projects = projects_with_old_events(session, RetentionSettings())
        for project in projects:
            place = None
            while True:
                with self.database.transaction() as session:
                    place = delete_old_events(session, project, place, CHUNK)
                seen += CHUNK
                if place is None:
                    break
        return seen, time.monotonic() - started

    def claims_during(self) -> tuple[list[float], float]:
        """Claims while events are removed, again and again, by another thread; its events per second."""
        removed: list[tuple[int, float]] = []
        thread = threading.Thread(target=lambda: removed.append(self.delete()))
        thread.start()
        seconds = self.claims()
        thread.join()
        return seconds, removed[0][0] / removed[0][1]

    def partition(self) -> None:
        """A copy of the events in partitions of equal size by job, as by the month of the job's creation."""
        with self.owner.transaction() as session:
            marks = [0.0, *(month / MONTHS for month in range(1, MONTHS))]
            bounds: list[UUID] = [
                session.execute(
                    text("SELECT id FROM jobs ORDER BY id OFFSET :skipped LIMIT 1"),
                    {"skipped": int(mark * self.jobs)},
                ).scalar_one()
                for mark in marks
            ]
            ends = [*bounds[1:], UUID(int=2**128 - 1)]
            session.execute(
                text("CREATE TABLE parted (LIKE job_events INCLUDING DEFAULTS) PARTITION BY RANGE (job_id)")
            )
            for number, (start, end) in enumerate(zip(bounds, ends, strict=True)):
                session.execute(
                    text(
                        f"CREATE TABLE parted_{number} PARTITION OF parted"
                        f" FOR VALUES FROM ('{start}') TO ('{end}')"
                    )
                )
            session.execute(text("ALTER TABLE parted ADD PRIMARY KEY (job_id, sequence)"))
            session.execute(text("CREATE INDEX ON parted (project_id, xid, job_id, sequence)"))
            session.execute(text("INSERT INTO parted SELECT * FROM job_events"))
        with self.owner.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM (ANALYZE) parted"))

    def reads(self, table: str) -> dict[str, float]:
        """Median milliseconds of a page of a project's events, and of one job's events."""
        with self.owner.transaction() as session:
            jobs = session.execute(
                text("SELECT id, project_id FROM jobs ORDER BY random() LIMIT :count"), {"count": READS}
            ).all()
        found: dict[str, list[float]] = {"page_ms": [], "job_ms": []}
        for job, project in jobs:
            for name, query in (("page_ms", PAGE), ("job_ms", HISTORY)):
                with self.owner.transaction() as session:
                    started = time.perf_counter()
                    session.execute(
                        text(query.format(table=table)),
                        {"project": project, "job": job, "nothing": UUID(int=0)},
                    ).all()
                    found[name].append(1000 * (time.perf_counter() - started))
        return {name: round(statistics.median(taken), 2) for name, taken in found.items()}


def milliseconds(seconds: list[float]) -> dict[str, float]:
    """p50 and p99 of sorted times."""
    return {f"p{int(100 * part)}_ms": round(1000 * quantile(seconds, part), 2) for part in (0.5, 0.99)}


def measure(bench: Bench) -> Mapping[str, Any]:
    """All figures. The second filling shows whether the space of removed events is used again."""
    bench.fill()
    filled = bench.size()
    reads = {"one_table": bench.reads("job_events")}
    bench.partition()
    reads["partitions"] = bench.reads("parted")
    with bench.owner.transaction() as session:
        session.execute(text("DROP TABLE parted"))
    alone = bench.claims()
    during, per_second = bench.claims_during()
    sizes = [filled]
    for _ in range(3):
        bench.lines.vacuum()
        bench.lines.add_ended(bench.jobs // 2, bench.forgetful)
        with bench.database.transaction() as session:
            session.execute(EARLIER_EVENTS)
        sizes.append(bench.size())
        bench.delete()
    return {
        "events": 3 * bench.jobs,
        "reads": reads,
        "claims_alone": milliseconds(alone),
        "claims_during_removal": milliseconds(during),
        "events_looked_at_per_second": round(per_second),
        "megabytes_after_each_refill": [round(size / 1e6) for size in sizes],
    }


def main() -> None:
    """Measure, and write the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=300_000)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="luminary-benchmark-") as name,
        EmbeddedStack(Path(name) / "stack", environment={}) as stack,
    ):
        assert stack.postgres is not None
        migrate(stack.postgres.owner_url())
        results = {"machine": describe_machine(), **measure(Bench(stack, arguments.jobs))}
    arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
