"""The state of processes, read from /proc: whether they run or are stopped, and their working directories.

On systems other than Linux every process counts as alive.
"""

import os
import signal
import sys
import time
from pathlib import Path

ZOMBIE, DEAD, STOPPED = "Z", "X", "T"
END_SECONDS = 5.0
POLL_SECONDS = 0.01
LINUX = sys.platform == "linux"


def stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on (proc_pid_stat(5)); empty when there is no process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    # the process name before these fields may contain blanks and parentheses
    return text.rpartition(")")[2].split()


def start_time(pid: int) -> int:
    """Start time of the process in clock ticks since boot; it distinguishes processes with the same id."""
    fields = stat_fields(pid)
    return int(fields[19]) if fields else 0


def is_alive(pid: int, started: int) -> bool:
    """Whether the process with this id and start time runs; False for a zombie."""
    if not LINUX:
        return True
    fields = stat_fields(pid)
    return bool(fields) and fields[0] not in {ZOMBIE, DEAD} and int(fields[19]) == started


def is_stopped(pid: int) -> bool:
    """Whether a signal (SIGSTOP) has stopped the process."""
    fields = stat_fields(pid)
    return bool(fields) and fields[0] == STOPPED


def working_in(folder: Path, program: str) -> list[int]:
    """Ids of the program's processes with this working directory: a server and its forked children."""
    wanted = str(folder.resolve())
    found: list[int] = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if str((place / "cwd").readlink()) == wanted and (place / "exe").readlink().name == program:
                found.append(int(place.name))
        except OSError:  # it has ended, or belongs to another user
            continue
    return found


def kill_all_in(folder: Path, program: str) -> None:
    """Kill every process of the program that has this working directory, and wait until all have ended.

    Killing the process group is not enough for PostgreSQL: each child leads its own group, outlives a killed
    postmaster for a while, and keeps its shared memory.
    """
    deadline = time.monotonic() + END_SECONDS
    while (pids := working_in(folder, program)) and time.monotonic() < deadline:
        for pid in pids:
            kill(pid)
        time.sleep(POLL_SECONDS)


def kill(pid: int) -> None:
    """Kill the process; do nothing if it has ended."""
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def kill_group(pid: int) -> None:
    """Kill the process group whose leader is, or was, this process."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
