"""Start, signal, freeze and kill processes under test, and read their logs."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from infra.local.health import answers
from infra.local.process import ManagedProcess
from shared.ids import IdKind, format_id
from tests.support.platforms.platform import eventually

WORKER_READY = ("worker ready",)
"""Log words of a GPU worker that claims jobs; it may not be connected to its broker yet."""


@dataclass(frozen=True)
class Member:
    """One process of a platform. ready_url: an address that answers when the process is ready."""

    process: ManagedProcess
    ready_url: str | None = None
    ready_words: tuple[str, ...] = ()
    """Words in the log of a process that is ready, if it has no readiness address."""

    @property
    def name(self) -> str:
        return self.process.name

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def launch(self) -> None:
        """Start the process with an empty log."""
        self.process.log_file.unlink(missing_ok=True)
        self.process.start()

    def wait_until_ready(self) -> None:
        """Wait until the process is ready."""
        if self.ready_url is not None:
            url = self.ready_url
            eventually(lambda: answers(url), f"the start of {self.name}")
        else:
            eventually(lambda: all(map(self.says, self.ready_words)), f"the start of {self.name}")

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        self.launch()
        self.wait_until_ready()

    def kill(self) -> None:
        """Kill the process with SIGKILL and wait until it has ended."""
        self.send(signal.SIGKILL)
        self.exited()

    def says(self, words: str) -> bool:
        """Whether the log has these words. Fails if the process has ended without them."""
        log = self.log()
        if words in log:
            return True
        assert self.process.exit_status() is None, log
        return False

    def log(self) -> str:
        """The log since the start of the process."""
        return self.process.log_file.read_text(errors="replace")

    def lines_about(self, job_id: UUID) -> list[dict[str, Any]]:
        """The log lines about a job."""
        name = format_id(IdKind.JOB, job_id)
        lines = [line for line in self.log().splitlines() if name in line and line.endswith("}")]
        return [json.loads(line) for line in lines]

    def found_its_lease_lost(self, job_id: UUID) -> bool:
        """Return true when this worker has logged that its attempt at the job lost the lease."""
        lines = self.lines_about(job_id)
        return any(line.get("reason") == "lost" or "lease was lost" in line["message"] for line in lines)

    def exited(self, seconds: float = 60.0) -> int:
        """Wait until the process has ended and return its exit status."""
        eventually(lambda: self.process.exit_status() is not None, f"the end of {self.name}", seconds)
        status = self.process.exit_status()
        assert status is not None
        return status

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze the process with SIGSTOP until the block ends: it exists but does not answer."""
        self.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.send(signal.SIGCONT)
