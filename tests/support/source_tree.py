"""List files of the repository, for tests that read its source text."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tracked_files(*suffixes: str) -> list[Path]:
    """Files of the repository whose names end with one of the suffixes."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return [ROOT / name for name in listed if name.endswith(suffixes) and (ROOT / name).is_file()]
