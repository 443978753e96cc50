"""The file in which a running supervisor says who it is, for `status`, `logs` and `down`."""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "run.json"


@dataclass(frozen=True)
class RunningProcess:
    """One child of the supervisor."""

    name: str
    pid: int
    restarts: int = 0


@dataclass(frozen=True)
class Run:
    """A supervisor and its children."""

    pid: int
    url: str
    processes: tuple[RunningProcess, ...]


def write_run(folder: Path, run: Run) -> None:
    """Replace the file in one step, so that a reader never sees half of it."""
    temporary = folder / f"{NAME}.new"
    temporary.write_text(json.dumps(asdict(run)))
    temporary.replace(folder / NAME)


def is_held(folder: Path) -> bool:
    """Whether a live process holds the folder's lock (`state.exclusive`)."""
    file = folder / "lock"
    if not file.exists():
        return False
    descriptor = os.open(file, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_run(folder: Path) -> Run | None:
    """The run that is going on in the folder, if one is; a file left by a killed one does not count."""
    file = folder / NAME
    if not is_held(folder) or not file.exists():
        return None
    stored = json.loads(file.read_text())
    processes = tuple(RunningProcess(**process) for process in stored["processes"])
    return Run(stored["pid"], stored["url"], processes)
