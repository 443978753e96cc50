"""Workers on hosts of their own, whose network loses packets or is cut: pictures and webhooks as promised.

`make network` runs this: three network namespaces are three hosts. One has the servers, the gateway, the
tokenizer service and the io worker; each of the others has a GPU worker.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest

from infra.local.installation import migrate
from infra.local.process import ManagedProcess
from infra.local.stack import EmbeddedStack
from shared.jobs import JobState
from tests.support.models.random_models import write_decoder, write_movqgan
from tests.support.platforms.evidence import assert_done_exactly_once, stored_objects, want_webhooks
from tests.support.platforms.installation import ROOT, SLOTS, Installation
from tests.support.platforms.platform import PlatformUnderTest, eventually
from tests.support.servers.network_hosts import NetworkHost, network_host, use_own_network
from tests.support.servers.processes import WORKER_READY, Member
from tests.support.servers.tcp_proxy import proxied

pytestmark = pytest.mark.timeout(600)
LONG = {"size": "256x256"}
VANISHED_SECONDS = 40.0
"""Limit of the wait for a vanished server: 30 s are promised, and the processors are busy."""
ADDRESSES = ("DATABASE_URL", "BROKER_URL", "REDIS_URL", "S3_ENDPOINT_URL", "TOKENIZER_URL")
HERE = ("gateway", "tokenizer", "io-worker")


@dataclass(frozen=True)
class WorkerHost:
    """A host and the worker on it."""

    host: NetworkHost
    worker: Member


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The servers and all services but the workers."""
    use_own_network()
    folder = tmp_path_factory.mktemp("network")
    with (
        tempfile.TemporaryDirectory(prefix="luminary-network-") as data,
        EmbeddedStack(Path(data), environment={}) as stack,
    ):
        assert stack.postgres is not None
        migrate(stack.postgres.owner_url())
        model = write_decoder(folder / "random")
        write_movqgan(model / "movqgan")
        installation = Installation(folder / "logs", model, stack)
        try:
            for name in HERE:
                installation.services[name].launch()
            for name in HERE:
                installation.services[name].wait_until_ready()
            yield installation
        finally:
            installation.stop()


@contextmanager
def worker_on(installation: Installation, host: NetworkHost) -> Iterator[WorkerHost]:
    """A worker on the host, which reaches everything over its link."""
    with ExitStack() as proxies:
        variables = {
            name: proxies.enter_context(proxied(installation.address(name), host.address))[1]
            for name in ADDRESSES
        }
        process = installation.further_worker(host.name, **variables).process
        spec = replace(process.spec, command=host.command(process.spec.command))
        worker = Member(ManagedProcess(spec, process.log_file), None, WORKER_READY)
        worker.start()
        try:
            yield WorkerHost(host, worker)
        finally:
            worker.process.stop()


@pytest.fixture(scope="module")
def workers(installation: Installation) -> Iterator[tuple[WorkerHost, WorkerHost]]:
    """Two workers on two hosts."""
    with (
        network_host("luminary-a", 1) as first,
        network_host("luminary-b", 2) as second,
        worker_on(installation, first) as worker_a,
        worker_on(installation, second) as worker_b,
    ):
        yield worker_a, worker_b


@pytest.fixture(scope="module")
def expected(installation: Installation, workers: object) -> list[str]:
    """Hashes of the pictures of the first seeds, drawn with a whole network."""
    calm = installation.world("calm")
    return hashes(calm, [calm.ask(seed=seed, **LONG) for seed in range(2 * SLOTS)])


def hashes(platform: PlatformUnderTest, jobs: list[UUID]) -> list[str]:
    """The token hash of each job, when all have ended; fails unless each succeeded exactly once."""
    for job_id in jobs:
        assert platform.finished(job_id).state == JobState.SUCCEEDED
        assert_done_exactly_once(platform, job_id)
    return [platform.outputs(job_id)[0].grid.sha256() for job_id in jobs]


def test_packets_that_are_lost_on_both_links_change_no_picture(
    installation: Installation, workers: tuple[WorkerHost, WorkerHost], expected: list[str]
) -> None:
    platform = installation.world("loss")
    want_webhooks(platform)
    with workers[0].host.losing(5), workers[1].host.losing(5):
        jobs = [platform.ask(seed=seed, **LONG) for seed in range(2 * SLOTS)]
        assert hashes(platform, jobs) == expected


def test_a_worker_that_is_cut_off_loses_its_jobs_to_the_other_and_works_again_afterwards(
    installation: Installation, workers: tuple[WorkerHost, WorkerHost], expected: list[str]
) -> None:
    platform = installation.world("partition")
    want_webhooks(platform)
    alone, other = workers
    with other.worker.frozen():
        jobs = [platform.ask(seed=seed, **LONG) for seed in range(SLOTS)]
        for job_id in jobs:
            platform.started_drawing(job_id)
    with alone.host.losing(100):
        assert hashes(platform, jobs) == expected[:SLOTS]
        assert all(platform.job(job_id).attempt > 1 for job_id in jobs)
        objects = stored_objects(platform.settings.storage, platform.project_id)
    eventually(lambda: all(map(alone.worker.found_its_lease_lost, jobs)), "the return of the worker")
    assert stored_objects(platform.settings.storage, platform.project_id) == objects

    with other.worker.frozen():
        later = [platform.ask(seed=seed, **LONG) for seed in range(SLOTS)]
        assert hashes(platform, later) == expected[:SLOTS]


def test_both_workers_cut_off_at_once_go_on_where_they_were(
    installation: Installation, workers: tuple[WorkerHost, WorkerHost], expected: list[str]
) -> None:
    platform = installation.world("both")
    want_webhooks(platform)
    jobs = [platform.ask(seed=seed, **LONG) for seed in range(2 * SLOTS)]
    for job_id in jobs:
        platform.started_drawing(job_id)
    with workers[0].host.losing(100), workers[1].host.losing(100):
        eventually(lambda: all(platform.job(one).state == JobState.QUEUED for one in jobs), "lost workers")
    assert hashes(platform, jobs) == expected


ASKS = """
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from shared.database import Database
from shared.settings import DatabaseSettings

try:
    with Database(DatabaseSettings(statement_timeout_seconds=600)).transaction() as session:
        session.execute(text("SELECT 1"))
        print("asks", flush=True)
        session.execute(text("SELECT pg_sleep(600)"))
except OperationalError:
    print("gave up", flush=True)
"""


def test_an_answer_of_a_database_that_has_vanished_is_awaited_for_half_a_minute(
    installation: Installation, workers: tuple[WorkerHost, WorkerHost]
) -> None:
    host = workers[0].host
    with proxied(installation.address("DATABASE_URL"), host.address) as (_, url):
        client = subprocess.Popen(
            host.command([sys.executable, "-c", ASKS]),
            env={**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert client.stdout is not None
        assert client.stdout.readline() == "asks\n"
        with host.losing(100):
            output, _ = client.communicate(timeout=VANISHED_SECONDS)
    assert output == "gave up\n"
