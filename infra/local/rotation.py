"""Rotate logs by copying a full file and truncating it, because its writer keeps the file open.

A line written between the copy and the truncation, which follow each other directly, is lost.
"""

import os
import shutil
from pathlib import Path

LARGEST_LOG_BYTES = 10_000_000
KEPT = 3
"""Number of rotated files of each log; name.log.1 is the newest."""


def rotate_logs(folder: Path, largest_bytes: int = LARGEST_LOG_BYTES, kept: int = KEPT) -> None:
    """Rotate every log of the folder that is larger than `largest_bytes`; keep `kept` older files of each."""
    for file in folder.glob("*.log"):
        if file.stat().st_size > largest_bytes:
            rotate(file, kept)


def rotate(file: Path, kept: int) -> None:
    """Renumber the older files, copy the log to `.1` and truncate it; writers in append mode keep working."""
    for number in range(kept - 1, 0, -1):
        older = numbered(file, number)
        if older.exists():
            older.replace(numbered(file, number + 1))
    numbered(file, 1).touch(mode=0o600)
    shutil.copyfile(file, numbered(file, 1))
    os.truncate(file, 0)


def numbered(file: Path, number: int) -> Path:
    """The name of a rotated file, such as `worker.log.2`."""
    return file.with_name(f"{file.name}.{number}")
