"""Run `luminary up` as a child process on its own folder, for the faults and the client."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from infra.local.ports import HOST, free_ports
from infra.local.run_file import read_run
from infra.local.stack import BUCKET, embedded_postgres
from infra.local.state import StackState, read_state
from tests.chaos.pausing import pause

ROOT = Path(__file__).parents[2]
LUMINARY = Path(sys.executable).with_name("luminary")
START_SECONDS = 180.0
STOP_SECONDS = 90.0
LOOK_SECONDS = 0.1
SHORT_TIMES = {
    "JOB_LEASE_SECONDS": "6",
    "JOB_HEARTBEAT_SECONDS": "1",
    "JOB_POLL_SECONDS": "0.5",
    "JOB_CHECKPOINT_SECONDS": "0.25",
    "RETENTION_PAUSE_SECONDS": "2",
}
"""Lost workers and expired pictures are noticed soon. All other settings are the defaults."""
NOT_OURS = ("_URL", "_PORT", "_MODEL", "_DTYPE", "_QUANTIZATION")
"""Suffixes of variables in a developer's shell that would change the platform."""
HOG = "while True: pass"


class Platform:
    """Context manager that runs the platform; with `busy`, another process keeps one CPU core busy."""

    def __init__(self, folder: Path, model: Path, *, busy: bool = True) -> None:
        self.data = folder / "data"
        self._output = folder / "up.log"
        self._model = model
        self._busy = busy
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        kept = {name: value for name, value in os.environ.items() if not name.endswith(NOT_OURS)}
        gateway, tokenizer = free_ports(2)
        environment = {
            **kept,
            **SHORT_TIMES,
            "GATEWAY_PORT": str(gateway),
            "TOKENIZER_PORT": str(tokenizer),
            "LOG_FORMAT": "json",
            "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            "PYTHONUNBUFFERED": "1",
        }
        command = [str(LUMINARY), "up"]
        command += ["--data", str(self.data), "--model", str(self._model)]
        self._output.parent.mkdir(parents=True, exist_ok=True)
        with self._output.open("wb") as output:
            self._start(command, output, environment)
        self._await_start()
        if self._busy:
            self._start([sys.executable, "-c", HOG], subprocess.DEVNULL, kept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self._processes):
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @property
    def url(self) -> str:
        """The gateway's address."""
        run = read_run(self.data)
        assert run is not None, self.output()
        return run.url

    @property
    def database_url(self) -> str:
        """Address of PostgreSQL with the services' login."""
        return embedded_postgres(self.data, self._state()).url()

    @property
    def storage(self) -> dict[str, str]:
        """Variables with the services' access to the bucket."""
        state = self._state()
        return {
            "S3_ENDPOINT_URL": f"http://{HOST}:{state.ports.s3}",
            "S3_BUCKET": BUCKET,
            "S3_ACCESS_KEY_ID": state.secrets.s3_access_key_id,
            "S3_SECRET_ACCESS_KEY": state.secrets.s3_secret_access_key,
        }

    def _state(self) -> StackState:
        state = read_state(self.data)
        assert state is not None, self.data
        return state

    @property
    def supervisor_pid(self) -> int:
        """Process id of `luminary up`, the parent of all other processes."""
        return self._processes[0].pid

    def output(self) -> str:
        """The output of `luminary up` so far."""
        return self._output.read_text(errors="replace")

    def pid_of(self, name: str) -> int | None:
        """Process id of a service or server; None if it does not run or is a zombie."""
        run = read_run(self.data)
        pids = [process.pid for process in run.processes if process.name == name] if run else []
        return next(filter(is_running, pids), None)

    def make_key(self, project: str) -> str:
        """Create an API key for the project."""
        command = [str(LUMINARY), "keys", "create"]
        command += ["--data", str(self.data), "--project", project]
        made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        found = re.search(r"lum_\S+", made.stdout)
        assert found, made
        return found[0]

    def keep_results(self, project: str, seconds: int) -> None:
        """Set how long the pictures of the project are kept."""
        command = [str(LUMINARY), "projects", "retention", "--data", str(self.data)]
        subprocess.run([*command, project, "--results", f"{seconds}s"], cwd=ROOT, check=True)

    def _start(self, command: list[str], output: IO[bytes] | int, environment: dict[str, str]) -> None:
        self._processes.append(
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        )

    def _await_start(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while "is ready after" not in self.output():
            assert self._processes[0].poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            pause(LOOK_SECONDS)


def is_running(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def open_files(pid: int) -> int:
    """Number of open file descriptors of the process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
