"""Keep log files small: copy what is full and empty the file, since its writer holds it open.

A line that is written between copying and emptying is lost; the two are one system call apart.
"""

import os
import shutil
from pathlib import Path

LARGEST_LOG_BYTES = 10_000_000
KEPT = 3
"""Older files of each log: name.log.1 is the youngest."""


def rotate_logs(folder: Path, largest_bytes: int = LARGEST_LOG_BYTES, kept: int = KEPT) -> None:
    """Rotate every log of the folder that is larger."""
    for file in folder.glob("*.log"):
        if file.stat().st_size > largest_bytes:
            rotate(file, kept)


def rotate(file: Path, kept: int) -> None:
    """Move older files up, copy the log to `.1`, empty it. Its writers append, so they go on at the start."""
    for number in range(kept - 1, 0, -1):
        older = numbered(file, number)
        if older.exists():
            older.replace(numbered(file, number + 1))
    shutil.copyfile(file, numbered(file, 1))
    os.truncate(file, 0)


def numbered(file: Path, number: int) -> Path:
    """`worker.log.2`."""
    return file.with_name(f"{file.name}.{number}")
