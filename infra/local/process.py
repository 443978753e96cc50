"""One operating-system process that is started, watched until ready, and stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

TETHER = Path(__file__).with_name("tether.py")
READY_POLL_SECONDS = 0.05
LOG_TAIL_LINES = 20


class ProcessError(Exception):
    """A process did not start, or stopped before it was ready; the message holds its last output."""


@dataclass(frozen=True)
class Account:
    """The user and group that a process runs as."""

    user: int
    group: int


@dataclass(frozen=True)
class ProcessSpec:
    """What to run and how to end it."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0
    """How long the process may take to end after its stop signal, before it is killed."""

    def with_environment(self, more: Mapping[str, str]) -> "ProcessSpec":
        """The same process with further variables."""
        return replace(self, environment={**self.environment, **more})


def tethered(command: Sequence[str], death_signal: signal.Signals, account: Account | None) -> list[str]:
    """The command line that runs a command as the account and signals it when we die."""
    return [
        sys.executable,
        "-ISB",
        str(TETHER),
        str(os.getpid()),
        str(int(death_signal)),
        f"{account.user}:{account.group}" if account else "-",
        *command,
    ]


class ManagedProcess:
    """A child process in a group of its own, so that Ctrl-C reaches only us and we choose the order."""

    def __init__(self, spec: ProcessSpec, log_file: Path) -> None:
        self.spec = spec
        self.log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def name(self) -> str:
        """The name under which it appears in logs and status."""
        return self.spec.name

    @property
    def pid(self) -> int | None:
        """The process id, once started."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process; it dies with us, even when we are killed."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(  # noqa: S603  (the spec is ours, never a request's)
                tethered(self.spec.command, self.spec.stop_signal, self.spec.account),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.spec.environment},
                process_group=0,
            )

    def exit_status(self) -> int | None:
        """The exit status, or None while it runs."""
        return self._process.poll() if self._process else None

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Return once `ready()` is true.

        Raises ProcessError when the process ends first or the time is over.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            status = self.exit_status()
            if status is not None:
                raise ProcessError(
                    f"{self.name} ended with status {status} while starting:\n{self._log_tail()}"
                )
            if time.monotonic() > deadline:
                raise ProcessError(f"{self.name} was not ready after {seconds:.0f} s:\n{self._log_tail()}")
            time.sleep(READY_POLL_SECONDS)

    def _log_tail(self) -> str:
        """The last lines since its start, indented under the message that quotes them."""
        with self.log_file.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-LOG_TAIL_LINES:])

    def request_stop(self) -> None:
        """Send the stop signal; return at once."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(self.spec.stop_signal)

    def stop(self) -> None:
        """End the process and everything it started; after `stop_seconds` by force."""
        process = self._process
        if process is None:
            return
        self.request_stop()
        try:
            process.wait(self.spec.stop_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
