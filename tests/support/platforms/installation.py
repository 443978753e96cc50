"""Run the whole platform as processes on its own servers, which a test may kill, freeze and restart.

The commands are those of `luminary up`. Only the times are shorter, so that a lost worker is noticed soon.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psycopg
from pydantic import SecretStr

from infra.local.ports import PortReservations, free_ports
from infra.local.process import ManagedProcess
from infra.local.services import Service, celery_worker, define_platform
from infra.local.stack import EmbeddedStack
from services.worker.settings import GpuWorkerProcessSettings, GpuWorkerSettings
from shared.database import Database
from shared.settings import (
    BrokerSettings,
    DatabaseSettings,
    JobSettings,
    StorageSettings,
    TokenizerAddress,
)
from shared.storage import ObjectStorage
from tests.support.factories import make_project
from tests.support.platforms.platform import PlatformUnderTest, eventually
from tests.support.servers.processes import WORKER_READY, Member

ROOT = Path(__file__).parents[3]
JOB_QUEUES = "generate,edit,dense"
READY_WORDS = {"worker": WORKER_READY, "second-worker": WORKER_READY, "io-worker": ("io-worker@",)}
"""Words that a process without a readiness address logs when it is ready."""
SLOTS = 4
JOBS = JobSettings(lease_seconds=2.0, heartbeat_seconds=0.4, poll_seconds=1.5, checkpoint_seconds=0.25)


def make_settings(stack: EmbeddedStack, tokenizer_port: int) -> GpuWorkerProcessSettings:
    """The settings of the workers."""
    environment = stack.environment
    return GpuWorkerProcessSettings(
        database=DatabaseSettings(url=SecretStr(environment["DATABASE_URL"])),
        broker=BrokerSettings(
            broker_url=SecretStr(environment["BROKER_URL"]), redis_url=SecretStr(environment["REDIS_URL"])
        ),
        storage=StorageSettings(
            bucket=environment["S3_BUCKET"],
            endpoint_url=environment["S3_ENDPOINT_URL"],
            access_key_id=SecretStr(environment["S3_ACCESS_KEY_ID"]),
            secret_access_key=SecretStr(environment["S3_SECRET_ACCESS_KEY"]),
        ),
        jobs=JOBS,
        worker=GpuWorkerSettings(slots=SLOTS),
        tokenizer=TokenizerAddress(url=f"http://127.0.0.1:{tokenizer_port}"),
    )


def environment_of(stack: EmbeddedStack, model: Path, ports: Mapping[str, str]) -> dict[str, str]:
    """The environment variables of every process."""
    return {
        **stack.environment,
        **ports,
        "JOB_LEASE_SECONDS": str(JOBS.lease_seconds),
        "JOB_HEARTBEAT_SECONDS": str(JOBS.heartbeat_seconds),
        "JOB_POLL_SECONDS": str(JOBS.poll_seconds),
        "JOB_CHECKPOINT_SECONDS": str(JOBS.checkpoint_seconds),
        "TOKENIZER_MODEL": str(model / "movqgan"),
        "TOKENIZER_DEVICE": "cpu",
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "WORKER_MODEL": str(model),
        "WORKER_SLOTS": str(SLOTS),
        "WORKER_DEVICE": "cpu",
        "WORKER_DTYPE": "fp32",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }


class Installation:
    """Servers and services; `world` gives each test its own project on them."""

    def __init__(
        self, folder: Path, model: Path, stack: EmbeddedStack, variables: Mapping[str, str] | None = None
    ) -> None:
        """variables: further environment variables of every service."""
        gateway_port, tokenizer_port, worker_port = free_ports(3)
        self.settings = make_settings(stack, tokenizer_port)
        self.gateway_url = f"http://127.0.0.1:{gateway_port}"
        self.database = Database(self.settings.database)
        self.model = model
        self._stack = stack
        self._folder = folder
        ports = {"GATEWAY_PORT": str(gateway_port), "TOKENIZER_PORT": str(tokenizer_port)}
        with PortReservations() as reservations:
            given = {**ports, "WORKER_HEALTH_PORT": str(worker_port)}
            platform = define_platform(given, reservations)
        self._environment = {
            **environment_of(stack, model, ports),
            **platform.environment,
            **(variables or {}),
        }
        second = celery_worker("second-worker", JOB_QUEUES, 2, 20.0)
        self.services = {service.spec.name: self._member(service) for service in (*platform.services, second)}

    def _member(self, service: Service) -> Member:
        spec = service.spec.with_environment(self._environment)
        log_file = self._folder / f"{spec.name}.log"
        return Member(ManagedProcess(spec, log_file), service.ready_url, READY_WORDS.get(spec.name, ()))

    @property
    def worker(self) -> Member:
        """The worker that always runs."""
        return self.services["worker"]

    @property
    def second_worker(self) -> Member:
        """A second worker that runs only if a test starts it."""
        return self.services["second-worker"]

    @property
    def tokenizer(self) -> Member:
        return self.services["tokenizer"]

    @property
    def gateway(self) -> Member:
        return self.services["gateway"]

    @property
    def io_worker(self) -> Member:
        return self.services["io-worker"]

    def server(self, name: str) -> Member:
        """The server with this name: postgres, valkey or seaweedfs."""
        process = next(process for process in self._stack.processes if process.name == name)
        return Member(process, None)

    @property
    def owner_url(self) -> str:
        """URL of the database for the role that may change its schema."""
        assert self._stack.postgres is not None
        return self._stack.postgres.owner_url()

    def postgres_answers(self) -> bool:
        """Whether the database answers on a new connection."""
        try:
            with psycopg.connect(
                self.settings.database.url.get_secret_value(), connect_timeout=2
            ) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def return_postgres(self) -> None:
        """Start PostgreSQL after it was killed or stopped, as the supervisor does, and wait until it answers.

        The children of a killed server keep its shared memory for a moment, in which no new server starts.
        """
        assert self._stack.postgres is not None
        self._stack.postgres.clear_away()
        self.server("postgres").process.start()
        eventually(self.postgres_answers, "the return of PostgreSQL")

    def start(self) -> None:
        """Start all services except the second worker, at the same time."""
        members = [member for name, member in self.services.items() if name != "second-worker"]
        for member in members:
            member.launch()
        for member in members:
            member.wait_until_ready()

    def stop(self) -> None:
        """Stop every service."""
        for member in self.services.values():
            member.process.request_stop()
        for member in self.services.values():
            member.process.stop()
        self.database.dispose()

    def address(self, name: str) -> str:
        """The address that services find in this variable."""
        return self._environment[name]

    def use_code(self, name: str, tree: Path) -> None:
        """Run a service with the code of another checkout; restart it if it runs."""
        old = self.services[name]
        spec = old.process.spec.with_environment({"PYTHONPATH": str(tree)})
        process = ManagedProcess(replace(spec, folder=tree), old.process.log_file)
        self.services[name] = Member(process, old.ready_url, old.ready_words)
        if old.process.pid is not None:
            old.process.stop()
            self.services[name].start()

    @contextmanager
    def verbose_worker(self) -> Iterator[Member]:
        """Restart the worker so that it logs every step until the block ends."""
        quiet = self.worker
        spec = quiet.process.spec
        command = [*spec.command, "--loglevel", "DEBUG"]
        verbose = Member(
            ManagedProcess(replace(spec, command=command), quiet.process.log_file), None, WORKER_READY
        )
        quiet.process.stop()
        try:
            verbose.start()
            yield verbose
        finally:
            verbose.process.stop()
            quiet.start()

    @contextmanager
    def deaf_worker(self, broker_url: str) -> Iterator[Member]:
        """Run another worker that uses this address for its broker and its Redis."""
        process = self.second_worker.process
        spec = process.spec.with_environment({"BROKER_URL": broker_url, "REDIS_URL": broker_url})
        deaf = Member(ManagedProcess(spec, process.log_file), None, WORKER_READY)
        deaf.start()
        try:
            yield deaf
        finally:
            deaf.process.stop()

    def further_worker(self, name: str, **variables: str) -> Member:
        """Create another worker with different settings; the test starts and stops it."""
        service = celery_worker(name, JOB_QUEUES, 2, 20.0)
        spec = service.spec.with_environment(self._environment | variables)
        return Member(ManagedProcess(spec, self._folder / f"{name}.log"), None, WORKER_READY)

    @contextmanager
    def two_workers(self) -> Iterator[None]:
        """Run the second worker until the block ends."""
        self.second_worker.start()
        try:
            yield
        finally:
            self.second_worker.process.stop()

    def restore(self) -> None:
        """Restart the services that a test has ended. Fails if a thread of a process has died."""
        for name, member in self.services.items():
            if member.process.pid is not None:
                assert "a thread has died" not in member.log(), member.log()
            if name != self.second_worker.name and member.process.exit_status() is not None:
                member.start()

    def world(self, name: str) -> PlatformUnderTest:
        """Create a project on this installation."""
        return PlatformUnderTest(
            self.settings,
            self.model,
            self.database,
            ObjectStorage(self.settings.storage),
            make_project(self.database, f"{name} {uuid4().hex[:8]}"),
        )
