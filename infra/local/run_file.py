"""The run file: a running supervisor writes its own process id and the state of its children for commands."""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from enum import StrEnum, unique
from pathlib import Path

from infra.local.private_folder import write_private
from infra.local.proc import is_alive, is_stopped, kill, kill_group

NAME = "run.json"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@unique
class ProcessState(StrEnum):
    """State of a child. The supervisor writes the first three; a reader of the file detects the others."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    """It ended or froze; it waits for its restart, or has been restarted and is not ready yet."""
    FROZEN = "frozen"
    """It is stopped by a signal; the supervisor restarts it after a while."""
    DEAD = "dead"
    """It has ended, and the supervisor has not noticed yet."""


@dataclass(frozen=True)
class RunningProcess:
    """One child of the supervisor."""

    name: str
    pid: int
    started: int = 0
    """Start time from `proc.start_time`, because process ids are reused."""
    restarts: int = 0
    state: ProcessState = ProcessState.RUNNING

    def now(self) -> ProcessState:
        """The current state: DEAD or FROZEN if the kernel reports that, otherwise the written state."""
        if self.state is ProcessState.RESTARTING:
            return self.state
        if not is_alive(self.pid, self.started):
            return ProcessState.DEAD
        return ProcessState.FROZEN if is_stopped(self.pid) else self.state


@dataclass(frozen=True)
class Run:
    """A supervisor and its children."""

    pid: int
    url: str
    processes: tuple[RunningProcess, ...]
    boot: str = ""
    """Boot id of the machine: process ids and start times are valid only until the next boot."""


def boot_id() -> str:
    """The kernel's boot id; empty on systems without one."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def write_run(folder: Path, run: Run) -> None:
    """Replace the run file atomically."""
    write_private(folder / NAME, json.dumps(asdict(run)))


def is_held(folder: Path) -> bool:
    """Whether a live process holds the folder's lock (`state.exclusive`)."""
    file = folder / "lock"
    try:
        descriptor = os.open(file, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_run(folder: Path) -> Run | None:
    """The running supervisor of the folder; None if none runs, even if a killed one has left its file."""
    return written_run(folder) if is_held(folder) else None


def written_run(folder: Path) -> Run | None:
    """The content of the run file, whether its supervisor still runs or not; None if it cannot be read."""
    try:
        stored = json.loads((folder / NAME).read_text())
        processes = tuple(
            RunningProcess(
                process["name"],
                process["pid"],
                process["started"],
                process["restarts"],
                ProcessState(process["state"]),
            )
            for process in stored["processes"]
        )
        return Run(stored["pid"], stored["url"], processes, stored["boot"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def kill_leftovers(folder: Path) -> None:
    """Kill processes that outlived an earlier supervisor, as a stopped one can. Lock the folder first."""
    run = written_run(folder)
    if run is not None and run.boot == boot_id():
        for process in run.processes:
            if is_alive(process.pid, process.started):
                kill_group(process.pid)
                kill(process.pid)
    (folder / NAME).unlink(missing_ok=True)
