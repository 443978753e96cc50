"""One operating-system process that is started, watched until ready, and stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from infra.local.account import Account
from infra.local.proc import kill_group, start_time
from shared.errors import LuminaryError

TETHER = Path(__file__).with_name("tether.py")
READY_POLL_SECONDS = 0.05
KILL_SECONDS = 10.0
LOG_TAIL_LINES = 20
OWN_FOLDER = "/proc/self/cwd"
"""A process's own working directory (proc(5)). The path is short, and it works even if the process may not
enter the folders above."""


class ProcessError(LuminaryError):
    """A process did not start, or stopped before it was ready; the message holds its last output."""

    code = "process_failed"
    hint = "Read the message, and the log that `luminary logs` shows."


@dataclass(frozen=True)
class ProcessSpec:
    """The command of a process, its environment, and how to stop it."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    account: Account | None = None
    folder: Path | None = None
    """The working directory; None keeps the supervisor's."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    """Time between the stop signal and a kill."""

    def with_environment(self, more: Mapping[str, str]) -> "ProcessSpec":
        """A copy of this spec with more environment variables."""
        return replace(self, environment={**self.environment, **more})


def own_folder(folder: Path) -> str:
    """The path by which a process with this working directory should refer to it."""
    return OWN_FOLDER if sys.platform == "linux" else str(folder)


def tethered(
    command: Sequence[str],
    death_signal: signal.Signals,
    account: Account | None = None,
    folder: Path | None = None,
) -> list[str]:
    """The command line that runs `command` through tether.py.

    The command runs as the account, in the folder, and gets `death_signal` when this process ends.
    """
    return [
        sys.executable,
        "-ISB",
        str(TETHER),
        str(os.getpid()),
        str(int(death_signal)),
        f"{account.user}:{account.group}" if account else "-",
        str(folder) if folder else "-",
        *command,
    ]


def open_private_log(file: Path) -> BinaryIO:
    """Open a log for appending; only its owner can read it, because logs contain prompts."""
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


class ManagedProcess:
    """A child process in its own process group, so that Ctrl-C reaches only the supervisor."""

    def __init__(self, spec: ProcessSpec, log_file: Path) -> None:
        self.spec = spec
        self.log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._started_at = 0.0
        self.started = 0
        """Start time of the process, from `proc.start_time`."""

    @property
    def name(self) -> str:
        """The process's name in logs and in `luminary status`."""
        return self.spec.name

    @property
    def pid(self) -> int | None:
        """The process id; None before the start."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process; it gets its stop signal when this process ends, even by a kill."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with open_private_log(self.log_file) as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(  # noqa: S603  (the spec is ours, never a request's)
                tethered(self.spec.command, self.spec.stop_signal, self.spec.account, self.spec.folder),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.spec.environment},
                process_group=0,
            )
        self.started = start_time(self._process.pid)
        self._started_at = time.monotonic()

    @property
    def running_seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started_at

    def exit_status(self) -> int | None:
        """The exit status; None while the process runs."""
        return self._process.poll() if self._process else None

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `ready()` is true.

        Raises ProcessError when the process ends first, or after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            status = self.exit_status()
            if status is not None:
                raise self.ended_early(status)
            if time.monotonic() > deadline:
                raise self.not_ready(seconds)
            time.sleep(READY_POLL_SECONDS)

    def ended_early(self, status: int) -> ProcessError:
        """The error for a process that ended before it was ready."""
        return ProcessError(f"{self.name} ended with status {status} while starting:\n{self._log_tail()}")

    def not_ready(self, seconds: float) -> ProcessError:
        """The error for a process that did not get ready in time."""
        return ProcessError(f"{self.name} was not ready after {seconds:.0f} s:\n{self._log_tail()}")

    def _log_tail(self) -> str:
        """The last log lines since the start, indented."""
        with self.log_file.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-LOG_TAIL_LINES:])

    def request_stop(self) -> None:
        """Send the stop signal, and SIGCONT in case the process is stopped; do not wait."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(self.spec.stop_signal)
            self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop the process and its group; kill them after `stop_seconds`."""
        process = self._process
        if process is None:
            return
        self.request_stop()
        try:
            process.wait(self.spec.stop_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        kill_group(process.pid)

    def kill(self) -> None:
        """Kill the process and its group."""
        process = self._process
        if process is None:
            return
        kill_group(process.pid)
        if process.poll() is None:
            process.kill()
        try:
            process.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            return  # it is in an uninterruptible system call, and dies when that returns
