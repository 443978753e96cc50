"""Run a gateway on embedded servers and measure its memory and the response time of /healthz."""

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.health_probe import REFUSED, SAMPLE_SECONDS, answers
from infra.local.installation import another_api_key, migrate
from infra.local.ports import free_ports
from infra.local.stack import EmbeddedStack

START_SECONDS = 60.0


@dataclass
class Watch:
    """Samples taken while a case ran."""

    resident_mib: list[float] = field(default_factory=list[float])
    health_ms: list[float] = field(default_factory=list[float])
    refused_probes: int = 0

    @property
    def peak_mib(self) -> float:
        """Peak resident memory of the gateway."""
        return max(self.resident_mib, default=0.0)

    @property
    def slowest_ms(self) -> float:
        """Longest response time of /healthz."""
        return max(self.health_ms, default=0.0)

    @property
    def median_ms(self) -> float:
        """Median response time of /healthz."""
        return statistics.median(self.health_ms) if self.health_ms else 0.0


@dataclass(frozen=True)
class WatchedGateway:
    """A running gateway with an API key."""

    pid: int
    port: int
    key: str

    @contextmanager
    def watched(self) -> Generator[Watch]:
        """Sample memory and /healthz until the block ends."""
        watch, ended = Watch(), threading.Event()
        memory = threading.Thread(target=self._memory, args=(watch, ended))
        command = [sys.executable, "-m", "benchmarks.health_probe", str(self.port)]
        probe = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        if probe.stdout is not None:
            probe.stdout.readline()  # the probe has started
        memory.start()
        try:
            yield watch
        finally:
            ended.set()
            memory.join()
            probe.terminate()  # a process in the background may ignore SIGINT
            lines = probe.communicate()[0].split()
            watch.health_ms = [float(line) for line in lines if line != REFUSED]
            watch.refused_probes = lines.count(REFUSED)

    def _memory(self, watch: Watch, ended: threading.Event) -> None:
        page_bytes = os.sysconf("SC_PAGE_SIZE")
        statm = Path(f"/proc/{self.pid}/statm")
        while not ended.wait(SAMPLE_SECONDS / 5):
            watch.resident_mib.append(int(statm.read_text().split()[1]) * page_bytes / 2**20)


@contextmanager
def gateway_process(environment: Mapping[str, str], key: str) -> Generator[WatchedGateway]:
    """A gateway with default settings on the servers of the environment; it runs until the block ends."""
    (port,) = free_ports(1)
    given = os.environ | dict(environment) | {"GATEWAY_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "services.api"], env=given, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(port, "/readyz"):
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("the gateway did not start")
            time.sleep(SAMPLE_SECONDS)
        yield WatchedGateway(process.pid, port, key)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def watched_gateway() -> Generator[WatchedGateway]:
    """A gateway on embedded servers in a temporary folder; all of them run until the block ends."""
    with (
        tempfile.TemporaryDirectory(prefix="luminary-bodies-") as folder,
        EmbeddedStack(Path(folder), environment={}, durable=False) as stack,
    ):
        if stack.postgres is None:
            raise RuntimeError("the embedded stack has no PostgreSQL")
        migrate(stack.postgres.owner_url())
        key = another_api_key(stack.environment["DATABASE_URL"], "worst", "benchmark")
        with gateway_process(stack.environment, key) as gateway:
            yield gateway
