"""Build the wheel, and create environments with the wheel and one of its extras."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]

MakeEnvironment = Callable[[str], Path]
"""Returns the Python of the environment for an extra, which is created once; "" is the wheel alone."""


def run(*command: str | Path, folder: Path) -> str:
    """Run a command and return its output. Fails with the output if its exit status is not 0."""
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def build_wheel(folder: Path) -> Path:
    """Build the wheel from the sources with `pip wheel`."""
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, ROOT, folder=folder)
    (wheel,) = folder.glob("luminary-*.whl")
    return wheel


def make_environment(folder: Path, wheel: Path, extra: str) -> Path:
    """Create an environment with the wheel and the extra at the locked versions; return its Python."""
    folder.mkdir()
    run(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder)
    python = folder / "bin" / "python"
    wanted = f"luminary[{extra}] @ {wheel.as_uri()}" if extra else str(wheel)
    # compiling all modules of torch, most of which are never imported, takes longer than unpacking them
    install = ("install", "--no-compile", "--constraint", ROOT / "constraints.txt")
    run(sys.executable, "-m", "pip", "--python", python, *install, wanted, folder=folder)
    return python
