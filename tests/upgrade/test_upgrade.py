"""A hundred jobs pass through an upgrade of schema and code from the last release, and the way back.

`make upgrade` runs this with RELEASE, the Git revision of the last release. Clients see no step of it but
refused connections while the only gateway restarts.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

import httpx2
import pytest
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

from infra.local.stack import EmbeddedStack
from migrations import runner
from migrations.patience import change_schema
from shared.database import sqlalchemy_url
from shared.ids import IdKind, parse_id
from shared.settings import DatabaseSettings
from tests.support.gateway.running import make_key
from tests.support.models.random_models import write_decoder, write_movqgan
from tests.support.platforms.evidence import assert_done_exactly_once, want_webhooks
from tests.support.platforms.installation import ROOT, Installation
from tests.support.platforms.platform import eventually

JOBS = 100
UNFINISHED = 8
"""Jobs that wait or run at each moment of the drill."""
ENDED = {"succeeded", "failed", "canceled", "expired"}
PATIENCE_SECONDS = 120.0
SERVICES = ("worker", "tokenizer", "gateway", "io-worker")


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the last release."""
    folder = tmp_path_factory.mktemp("release")
    archive = folder.with_suffix(".tar")
    revision = os.environ["RELEASE"]
    subprocess.run(["git", "archive", "--output", str(archive), revision], cwd=ROOT, check=True)
    subprocess.run(["tar", "--extract", "--file", str(archive), "--directory", str(folder)], check=True)
    return folder


@dataclass
class Schema:
    """The database's schema, which the owner's role moves between two revisions."""

    url: str
    release: str
    """Newest revision of the last release."""

    def move(self, revision: str) -> None:
        """Upgrade or downgrade to the revision."""

        def change(connection: Connection) -> None:
            if revision == self.release and revision_of(connection) is not None:
                runner.downgrade(connection, revision)
            else:
                runner.upgrade(connection, revision)

        change_schema(self._engine(), change)

    def revision(self) -> str | None:
        """The current revision; None for an empty database."""
        with self._engine().connect() as connection:
            return revision_of(connection)

    def _engine(self) -> Engine:
        settings = DatabaseSettings.model_validate({"url": self.url})
        return create_engine(sqlalchemy_url(settings), poolclass=NullPool)


def revision_of(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


@pytest.fixture(scope="session")
def stack() -> Iterator[EmbeddedStack]:
    with (
        tempfile.TemporaryDirectory(prefix="luminary-upgrade-") as folder,
        EmbeddedStack(Path(folder), environment={}) as stack,
    ):
        yield stack


@pytest.fixture(scope="session")
def schema(stack: EmbeddedStack, release: Path) -> Schema:
    """The schema of the last release."""
    assert stack.postgres is not None
    head = ScriptDirectory(str(release / "migrations")).get_current_head()
    assert head is not None
    schema = Schema(stack.postgres.owner_url(), head)
    schema.move(head)
    return schema


@pytest.fixture
def installation(
    stack: EmbeddedStack, schema: Schema, release: Path, tmp_path: Path
) -> Iterator[Installation]:
    """The platform with the code and the schema of the last release."""
    model = write_decoder(tmp_path / "random")
    write_movqgan(model / "movqgan")
    installation = Installation(tmp_path / "logs", model, stack)
    for name in SERVICES:
        installation.use_code(name, release)
    try:
        installation.start()
        yield installation
    finally:
        installation.stop()


@dataclass
class Client:
    """A client that repeats a request with its idempotency key until it is answered."""

    url: str
    key: str
    places: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(UNFINISHED))

    def job(self, seed: int) -> dict[str, Any]:
        """A job that has ended."""
        with self.places:
            body = {"prompt": "a red circle", "size": "64x64", "seed": seed}
            created = self._answer("POST", "/v1/jobs", {"Idempotency-Key": f"seed-{seed}"}, body)
            path = f"/v1/jobs/{created['id']}"
            job = created
            while job["status"] not in ENDED:
                job = self._answer("GET", path, {"Prefer": "wait=5"}, None)
            return job

    def _answer(
        self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.key}", **headers}

        def send() -> dict[str, Any] | None:
            with suppress(httpx2.TransportError):
                answer = httpx2.request(method, self.url + path, headers=headers, json=body, timeout=30)
                if answer.status_code < 300:
                    return answer.json()
                assert answer.status_code == 503, answer.text
            return None

        return eventually(send, f"an answer to {method} {path}", PATIENCE_SECONDS)


def token_hash(job: Mapping[str, Any]) -> str:
    assert job["status"] == "succeeded", job
    return job["outputs"][0]["tokens_sha256"]


@pytest.mark.timeout(900)
def test_a_hundred_jobs_pass_through_an_upgrade_and_the_way_back(
    installation: Installation, schema: Schema, release: Path
) -> None:
    calm, drill = installation.world("undisturbed"), installation.world("drill")
    clients = [
        Client(installation.gateway_url, make_key(installation.database, world.project_id))
        for world in (calm, drill)
    ]
    want_webhooks(drill)

    def use_code(tree: Path) -> None:
        for name in SERVICES:
            installation.use_code(name, tree)
            folder = Path(f"/proc/{installation.services[name].process.pid}/cwd")
            assert folder.resolve() == tree.resolve()

    steps = (
        lambda: schema.move("head"),
        lambda: use_code(ROOT),
        lambda: use_code(release),
        lambda: schema.move(schema.release),
    )
    with ThreadPoolExecutor(JOBS) as pool:
        expected = list(pool.map(clients[0].job, range(JOBS)))
        futures: list[Future[dict[str, Any]]] = []
        for step in steps:
            futures += [pool.submit(clients[1].job, len(futures) + n) for n in range(JOBS // 5)]
            some = futures[-JOBS // 8]
            eventually(some.done, "some jobs of this step", PATIENCE_SECONDS)
            assert not all(future.done() for future in futures), "jobs run during each step"
            step()
        futures += [pool.submit(clients[1].job, seed) for seed in range(len(futures), JOBS)]
        jobs = [future.result() for future in futures]

    assert schema.revision() == schema.release
    assert [token_hash(job) for job in jobs] == [token_hash(job) for job in expected]
    assert len({job["id"] for job in jobs}) == JOBS
    schema.move("head")  # this version reads the rows
    for job in jobs:
        assert_done_exactly_once(drill, parse_id(IdKind.JOB, job["id"]))
