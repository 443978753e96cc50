"""Measure what row-level security costs the gateway.

    python -m benchmarks.walls --out docs/benchmarks/walls.json

Requests are sent in turn to two gateways of this process, one with the wall between projects and one without,
on one embedded database. Queries are repeated in turn in transactions of a project and of the platform, on a
database with 100,000 jobs of one project and as many of another one.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import httpx2
import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session  # noqa: TC002  (types of functions in a dictionary)

from benchmarks.machine import describe_machine
from benchmarks.tracing import served
from infra.local.installation import migrate
from infra.local.ports import free_ports
from infra.local.postgres import DATABASE
from infra.local.stack import EmbeddedStack
from services.api.app import create_app
from services.api.events.position import BEGINNING
from services.api.events.repository import read_batch
from services.api.events.subject import Subject
from services.api.jobs.repository import JobFilter, list_jobs, read_job
from services.api.process.acting import Purpose, acting_project, as_platform, as_project
from services.api.sessions.repository import read_tree
from services.api.settings import GatewayProcessSettings
from shared.async_database import AsyncDatabase
from shared.database import Database
from shared.security import generate_api_key, generate_webhook_secret
from shared.settings import DatabaseSettings, load_settings
from shared.tables import ApiKey, Project, SessionRow
from shared.walls import Wall

ROWS = 100_000
TURNS = 100
CHUNK = 1000
WARM = 50
FILL = """
WITH made AS (
    INSERT INTO jobs
        (project_id, max_failures, priority, state, queue, task, finished_at, attempt, started_at)
    SELECT CAST(:project AS uuid), 3, 1, 'succeeded', 'generate', 'text_to_image', now(), 1, now()
    FROM generate_series(1, :rows) RETURNING id
), events AS (
    INSERT INTO job_events (job_id, sequence, attempt, kind, project_id)
    SELECT id, 1, 0, 'queued', CAST(:project AS uuid) FROM made
), requests AS (
    INSERT INTO job_requests (job_id, request) SELECT id, '{"prompt": "a red circle"}' FROM made
), pictures AS (
    INSERT INTO images (project_id, origin, media_type, storage_key, sha256, byte_size, width, height)
    SELECT CAST(:project AS uuid), 'generated', 'image/png', id::text,
        decode(repeat('00', 32), 'hex'), 1, 8, 8
    FROM made
    RETURNING id, storage_key
)
INSERT INTO candidates (job_id, image_id, position) SELECT storage_key::uuid, id, 0 FROM pictures
"""
GROW = """
INSERT INTO turns (session_id, number, job_id)
SELECT CAST(:session AS uuid), row_number() OVER (), id
FROM (SELECT id FROM jobs WHERE project_id = :project AND state = 'succeeded' LIMIT :turns) AS drawn
"""


class Times(NamedTuple):
    """Milliseconds, with the wall and without."""

    walled: list[float]
    open: list[float]

    def summary(self) -> dict[str, float]:
        """Medians, and the median difference of pairs."""
        pairs = [one - other for one, other in zip(self.walled, self.open, strict=True)]
        return {
            "with_ms": round(statistics.median(self.walled), 4),
            "without_ms": round(statistics.median(self.open), 4),
            "difference_ms": round(statistics.median(pairs), 4),
        }


def in_turn(rounds: int, walled: Callable[[], object], open_: Callable[[], object]) -> Times:
    """Time both, in an order that changes at random."""
    times = Times([], [])
    for number in range(WARM + rounds):
        both = [(walled, times.walled), (open_, times.open)]
        random.shuffle(both)
        for call, taken in both:
            started = time.perf_counter()
            call()
            if number >= WARM:
                taken.append((time.perf_counter() - started) * 1000)
    return times


@contextmanager
def without_wall() -> Generator[None]:
    """Gateways that are made in the block have no wall."""
    made = AsyncDatabase.__init__

    def init(self: AsyncDatabase, *positional: Any, **named: Any) -> None:
        made(self, *positional, **{**named, "wall": None})

    AsyncDatabase.__init__ = init
    try:
        yield
    finally:
        AsyncDatabase.__init__ = made


def add_project(database: Database, name: str) -> tuple[UUID, str]:
    """A project and its key."""
    key = generate_api_key()
    with database.transaction() as session:
        project = Project(name=name, webhook_secret=generate_webhook_secret(), max_queued_jobs=10**9)
        session.add(project)
        session.flush()
        session.add(ApiKey(project_id=project.id, name=name, hint=key.hint, sha256=key.sha256))
        return project.id, key.token


def requests(settings: GatewayProcessSettings, token: str, rounds: int) -> dict[str, Any]:
    """Times of POST /v1/jobs and GET /v1/jobs/{id}."""
    ports = free_ports(2)
    with ExitStack() as exits:
        exits.enter_context(served(create_app(settings), ports[0]))
        with without_wall():
            exits.enter_context(served(create_app(settings), ports[1]))
        headers = {"Authorization": f"Bearer {token}"}
        walled, open_ = (
            exits.enter_context(httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=headers))
            for port in ports
        )
        body = {"prompt": "a red circle"}
        job = walled.post("/v1/jobs", json=body).raise_for_status().json()["id"]

        def post(client: httpx2.Client) -> Callable[[], object]:
            return lambda: client.post("/v1/jobs", json=body).raise_for_status()

        def get(client: httpx2.Client) -> Callable[[], object]:
            return lambda: client.get(f"/v1/jobs/{job}").raise_for_status()

        return {
            "GET /v1/jobs/{id}": in_turn(rounds, get(walled), get(open_)).summary(),
            "POST /v1/jobs": in_turn(rounds, post(walled), post(open_)).summary(),
        }


def fill(database: Database, project_id: UUID, other: UUID) -> UUID:
    """Many jobs of both projects, and a session with some of the first one's."""
    with database.transaction() as session:
        for _ in range(ROWS // CHUNK):
            for owner in (project_id, other):
                session.execute(text(FILL), {"project": owner, "rows": CHUNK})
        tree = SessionRow(project_id=project_id)
        session.add(tree)
        session.flush()
        session.execute(text(GROW), {"session": tree.id, "project": project_id, "turns": TURNS})
        return tree.id


async def queries(settings: DatabaseSettings, project_id: UUID, tree: UUID, rounds: int) -> dict[str, Any]:
    """Times of the functions that read most, in a transaction of the project and in one of the platform."""
    # each with connections of its own: a role that changes has its prepared statements planned again
    database, other = (AsyncDatabase(settings, wall=Wall(acting_project, is_required=True)) for _ in range(2))
    async with as_platform(Purpose.PROBES), database.transaction() as session:
        job_id = (
            await session.execute(
                text("SELECT id FROM jobs WHERE project_id = :id LIMIT 1"), {"id": project_id}
            )
        ).scalar_one()
    reads: dict[str, Callable[[Session], object]] = {
        "a job": lambda session: read_job(session, project_id, job_id),
        "list of 100 jobs": lambda session: list_jobs(session, project_id, JobFilter(), None, 100),
        "500 events": lambda session: read_batch(session, Subject(project_id).condition(), BEGINNING, 500),
        "a tree of 100 turns": lambda session: read_tree(session, project_id, tree, 0),
    }
    found: dict[str, Any] = {}
    for name, read in reads.items():
        times = Times([], [])
        for number in range(WARM + rounds):
            both = [
                (database, as_project(project_id), times.walled),
                (other, as_platform(Purpose.PROBES), times.open),
            ]
            random.shuffle(both)
            for used, acting, taken in both:
                started = time.perf_counter()
                async with acting, used.transaction() as session:
                    await session.run_sync(read)
                if number >= WARM:
                    taken.append((time.perf_counter() - started) * 1000)
        found[name] = times.summary()
    await database.dispose()
    await other.dispose()
    return found


def main() -> None:
    """Measure both parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rounds", type=int, default=1000)
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedStack(Path(folder) / "stack", environment={}) as stack,
    ):
        assert stack.postgres is not None
        os.environ |= {**stack.environment, "TOKENIZER_URL": "http://127.0.0.1:1"}
        migrate(stack.postgres.owner_url())
        settings = load_settings(GatewayProcessSettings)
        database = Database(settings.database)
        project_id, token = add_project(database, "measured")
        other, _ = add_project(database, "other")
        report: dict[str, Any] = {"requests": requests(settings, token, chosen.rounds)}
        tree = fill(database, project_id, other)
        with psycopg.connect(stack.postgres.superuser_url(DATABASE), autocommit=True) as superuser:
            superuser.execute("VACUUM ANALYZE")
        report["queries"] = asyncio.run(
            queries(settings.database, project_id, tree, max(50, chosen.rounds // 5))
        )
    report["machine"] = describe_machine()
    print(json.dumps(report, indent=1))
    if chosen.out is not None:
        chosen.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
