"""The API key file of a data folder, read by the commands of the folder's owner."""

from pathlib import Path

from infra.local.private_folder import write_private

KEY_FILE = "api_key"


def read_kept_key(folder: Path) -> str | None:
    """The stored key; None when the file is missing or empty."""
    try:
        return (folder / KEY_FILE).read_text().strip() or None
    except OSError:
        return None


def keep_key(folder: Path, token: str) -> Path:
    """Write the key to a file that only its owner can read, and return the file."""
    file = folder / KEY_FILE
    write_private(file, f"{token}\n")
    return file
