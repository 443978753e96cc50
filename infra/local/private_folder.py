"""Data folders and files that only their owner can read: they contain pictures, prompts and passwords."""

import os
import stat
from pathlib import Path

from infra.local.account import Account
from infra.local.process import ProcessError

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
OURS = frozenset({"stack.json", "lock", "logs", "postgres", "postgres.new", "valkey", "s3", "run.json"})
"""Names in a data folder: a folder with at least one of them counts as a data folder of Luminary."""
OF_THE_FILE_SYSTEM = frozenset({"lost+found"})


def make_private(folder: Path) -> None:
    """Create the folder with mode 0700, or set this mode on an existing one and 0600 on its files.

    Raises OSError, and ProcessError for a folder with other content, whose permissions must not change.
    """
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    found = {entry.name for entry in folder.iterdir()} - OF_THE_FILE_SYSTEM
    if found and not found & OURS:
        raise ProcessError(
            f"The data folder {folder} has other content ({min(found)}): "
            "choose an empty or a new folder with --data."
        )
    if stat.S_IMODE(folder.stat().st_mode) != PRIVATE_FOLDER:
        folder.chmod(PRIVATE_FOLDER)
    for file in (*folder.iterdir(), *(folder / "logs").glob("*")):
        if file.is_file() and stat.S_IMODE(file.stat().st_mode) != PRIVATE_FILE:
            file.chmod(PRIVATE_FILE)


def write_private(file: Path, text: str, owner: Account | None = None) -> None:
    """Replace a file atomically by one that only its owner can read.

    The new file is created exclusively: in a folder that belongs to a server's account, an existing file or
    link could lead elsewhere.
    """
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "w") as opened:
        if owner is not None:
            os.fchown(descriptor, owner.user, owner.group)
        opened.write(text)
    fresh.replace(file)
