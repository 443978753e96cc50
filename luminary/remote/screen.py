"""Show a saved picture with the desktop's default program."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


def opener() -> str | None:
    """The desktop's program for opening files; None without a screen or such a program."""
    if sys.platform == "darwin":
        return shutil.which("open")
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return shutil.which("xdg-open")
    return None


def show(path: Path) -> None:
    """Open the picture if there is a screen; the viewer stays open when this program ends."""
    program = opener()
    if program is not None:
        subprocess.Popen(  # noqa: S603  (the desktop's own opener, with our own file)
            [program, str(path.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
