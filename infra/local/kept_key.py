"""The files of a data folder with its API keys, read by the commands of the folder's owner."""

from pathlib import Path

from infra.local.private_folder import write_private

KEY_FILE = "api_key"
"""A key for programs: it reads, writes and manages webhooks of one project."""
ADMIN_FILE = "admin_key"
"""A key for `luminary keys` and `luminary projects`: it manages projects and keys, and does nothing else."""


def read_kept_key(folder: Path, name: str = KEY_FILE) -> str | None:
    """The stored key; None when the file is missing or empty."""
    try:
        return (folder / name).read_text().strip() or None
    except OSError:
        return None


def keep_key(folder: Path, token: str, name: str = KEY_FILE) -> Path:
    """Write the key to a file that only its owner can read, and return the file."""
    file = folder / name
    write_private(file, f"{token}\n")
    return file
