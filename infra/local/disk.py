"""Check the free space on the disk of the data folder.

When the disk is full, the servers fail with errors that do not mention the disk.
"""

import os
from collections.abc import Callable
from pathlib import Path

from infra.local.process import ProcessError

MEGABYTE = 1_000_000
NEEDED_MEGABYTES = 256
"""A first start writes about 100 MB; PostgreSQL's write-ahead log grows in steps of 17 MB."""
NEEDED_FILES = 1_000


def shortage(folder: Path) -> str | None:
    """One sentence about missing space or inodes on the folder's disk; None when there is enough.

    A folder that does not exist yet is checked through its nearest existing parent.
    """
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    found = os.statvfs(place)
    megabytes = found.f_bavail * found.f_frsize // MEGABYTE
    if megabytes < NEEDED_MEGABYTES:
        return f"the disk of {folder} has {megabytes} MB free; Luminary needs {NEEDED_MEGABYTES} MB"
    # file systems without a fixed number of inodes report 0 of 0
    if found.f_files and found.f_favail < NEEDED_FILES:
        return f"the disk of {folder} has room for {found.f_favail} files; Luminary needs {NEEDED_FILES}"
    return None


def check_disk(folder: Path) -> None:
    """Raise ProcessError when the disk has too little space for a start."""
    if lacking := shortage(folder):
        raise ProcessError(
            f"{lacking[0].upper()}{lacking[1:]}: free some space, or choose another disk with --data."
        )


class DiskWatch:
    """Reports once when the disk is nearly full, and once when it has enough space again."""

    def __init__(self, folder: Path, report: Callable[[str], None]) -> None:
        self._folder = folder
        self._report = report
        self._full = False

    def look(self) -> None:
        """Check the disk; report when its state has changed."""
        lacking = shortage(self._folder)
        if lacking and not self._full:
            self._report(f"{lacking}: requests fail until there is enough space")
        elif self._full and not lacking:
            self._report(f"the disk of {self._folder} has enough space again")
        self._full = lacking is not None
