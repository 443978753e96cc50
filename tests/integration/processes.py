"""Processes under test: started, signalled, frozen, killed, and what they have logged."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from infra.local.process import ManagedProcess
from infra.local.supervisor import answers
from shared.ids import IdKind, format_id
from tests.integration.worker.platform import eventually

WORKER_READY = ("worker ready",)
"""A GPU worker looks for jobs; whether it has found its broker is another matter."""


@dataclass(frozen=True)
class Member:
    """One process of a platform and how to see that it serves."""

    process: ManagedProcess
    ready_url: str | None = None
    ready_words: tuple[str, ...] = ()
    """What it has logged when it serves, where it has no readiness address."""

    @property
    def name(self) -> str:
        return self.process.name

    def send(self, number: signal.Signals) -> None:
        """Signal the process."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def launch(self) -> None:
        """Start it; its log begins anew."""
        self.process.log_file.unlink(missing_ok=True)
        self.process.start()

    def wait_until_ready(self) -> None:
        """Return when it serves."""
        if self.ready_url is not None:
            url = self.ready_url
            eventually(lambda: answers(url), f"the start of {self.name}")
        else:
            eventually(lambda: all(map(self.says, self.ready_words)), f"the start of {self.name}")

    def start(self) -> None:
        """Start it and wait until it serves."""
        self.launch()
        self.wait_until_ready()

    def kill(self) -> None:
        """End it as a power cut would, and wait until it is gone."""
        self.send(signal.SIGKILL)
        self.exited()

    def says(self, words: str) -> bool:
        """Whether it has logged these words. Fails when it has ended without them."""
        log = self.log()
        if words in log:
            return True
        assert self.process.exit_status() is None, log
        return False

    def log(self) -> str:
        """What it has logged since its start."""
        return self.process.log_file.read_text(errors="replace")

    def lines_about(self, job_id: UUID) -> list[dict[str, Any]]:
        """What it has logged of a job."""
        name = format_id(IdKind.JOB, job_id)
        lines = [line for line in self.log().splitlines() if name in line and line.endswith("}")]
        return [json.loads(line) for line in lines]

    def exited(self, seconds: float = 60.0) -> int:
        """The exit status, once there is one."""
        eventually(lambda: self.process.exit_status() is not None, f"the end of {self.name}", seconds)
        status = self.process.exit_status()
        assert status is not None
        return status

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stopped inside the block: alive for the kernel, silent for everybody else."""
        self.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.send(signal.SIGCONT)
