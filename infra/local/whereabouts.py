"""Find the data folder for a command, from any working directory."""

import os
from contextlib import suppress
from pathlib import Path

from infra.local.private_folder import write_private
from infra.local.run_file import is_held

DEFAULT_FOLDER = ".luminary"
DATA_VARIABLE = "LUMINARY_DATA"


def pointer() -> Path:
    """The file with the path of the data folder that this user started last (XDG base directories)."""
    state = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    return Path(state) / "luminary" / "last"


def remember(folder: Path) -> None:
    """Store the folder's path for later commands; if the home cannot be written, they may need --data."""
    file = pointer()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(file, f"{folder.absolute()}\n")
    except (OSError, RuntimeError):
        return


def find_folder(given: Path | None) -> Path:
    """The data folder for a command.

    --data or LUMINARY_DATA decide if given. Otherwise the candidates are `.luminary` in the working directory
    and in each folder above it, then the folder that this user started last: the first with a running
    platform is taken, without one the first that exists.
    """
    if given is not None:
        return given
    if named := os.environ.get(DATA_VARIABLE):
        return Path(named)
    candidates = [place / DEFAULT_FOLDER for place in (Path.cwd(), *Path.cwd().parents)]
    candidates = [folder for folder in candidates if (folder / "lock").exists()]
    with suppress(OSError, RuntimeError):
        candidates.append(Path(pointer().read_text().strip()))
    running = [folder for folder in candidates if is_held(folder)]
    return next(iter(running or candidates), Path(DEFAULT_FOLDER))
