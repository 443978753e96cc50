"""Run a supervisor in its own process, with the embedded servers and one small web service."""

import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from infra.local.ports import free_ports
from infra.local.run_file import read_run

ROOT = Path(__file__).parents[3]
GONE_SECONDS = 30.0

SUPERVISE = """
import sys
from pathlib import Path
from infra.local.process import ProcessSpec
from infra.local.services import Platform, Service
from infra.local.supervisor import Supervisor

def define(_, ports):
    port = ports.prefer(int(sys.argv[2]))
    url = f"http://127.0.0.1:{port}/"
    web = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    return Platform(url, {}, (Service(ProcessSpec("web", web), url),))

report = lambda line: print(line, flush=True)
Supervisor(Path(sys.argv[1]), report, define, frozen_seconds=float(sys.argv[3])).run()
"""


@contextmanager
def starting(folder: Path, port: int, frozen_seconds: float = 30.0) -> Iterator[subprocess.Popen[str]]:
    """Start a supervisor in its own process. port: the preferred port of its only service."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    environment["XDG_STATE_HOME"] = f"{folder}-state"
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, str(folder), str(port), str(frozen_seconds)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def supervised(folder: Path, frozen_seconds: float = 30.0) -> Iterator[subprocess.Popen[str]]:
    """Start a supervisor and wait until it is ready."""
    with starting(folder, free_ports(1)[0], frozen_seconds) as process:
        wait_for_line(process, "is ready")
        yield process


def wait_for_line(process: subprocess.Popen[str], pattern: str) -> str:
    """Read the output up to a line that matches the pattern, and return this line."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if re.search(pattern, line):
            return line
    pytest.fail("".join(seen))


def children(folder: Path) -> list[int]:
    """Ids of the processes in the run file."""
    run = read_run(folder)
    assert run is not None
    return [process.pid for process in run.processes]


def wait_until_gone(pids: list[int]) -> None:
    """Wait until every process has ended: a process's descriptor becomes readable at its end."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            ended, _, _ = select.select([descriptor], [], [], GONE_SECONDS)
        finally:
            os.close(descriptor)
        assert ended, f"process {pid} outlived its parent"


class SupervisorOutput:
    """Collects the output of a supervisor in a thread."""

    def __init__(self, supervisor: subprocess.Popen[str]) -> None:
        self.lines: list[str] = []
        self._output = supervisor.stdout
        self._thread = Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._output is not None
        self.lines.extend(self._output)

    def about(self, name: str) -> list[str]:
        """The lines about one process."""
        return [line for line in list(self.lines) if line.startswith(f"{name} ")]
