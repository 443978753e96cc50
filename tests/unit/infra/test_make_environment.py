"""`make install` before anything is installed: it finds a Python, mends what is broken, fails in one line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "infra" / "make_environment.sh"
TOOLS = ("sh", "basename", "ls", "rm", "grep", "tail")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder for PATH with the tools that the script needs, and no Python."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    return folder


def old_python(folder: Path, name: str) -> None:
    """A program that refuses whatever Python 3.10 would."""
    file = folder / name
    file.write_text("#!/bin/sh\nexit 1\n")
    file.chmod(0o755)


def make(programs: Path, folder: Path, *python: str) -> subprocess.CompletedProcess[str]:
    """Run the script without a network: its index is a port where nobody listens."""
    return subprocess.run(
        [SCRIPT, folder, *python],
        cwd=ROOT,
        env={
            "PATH": str(programs),
            "HOME": str(programs.parent),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": "http://127.0.0.1:1/simple",
            "PIP_NO_CACHE_DIR": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_new_enough_python_nothing_is_made(programs: Path, tmp_path: Path) -> None:
    """Found: 3.10 ends in a resolver's wall, and its environment breaks the next try. Right: one line."""
    old_python(programs, "python3")
    ended = make(programs, tmp_path / "venv")
    assert ended.returncode == 1
    assert ended.stderr.startswith("luminary: Python 3.11 or newer is needed; every Python on PATH is older")
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "venv").exists()


def test_a_python_of_ones_own_that_is_too_old_is_named(programs: Path, tmp_path: Path) -> None:
    old_python(programs, "python3.10")
    ended = make(programs, tmp_path / "venv", "python3.10")
    assert "needed; python3.10 is older or missing" in ended.stderr
    assert not (tmp_path / "venv").exists()


def test_a_folder_that_is_no_environment_is_left_alone(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "thesis.tex").touch()
    ended = make(programs, tmp_path / "venv", sys.executable)
    assert "is not a Python environment" in ended.stderr
    assert (tmp_path / "venv" / "thesis.tex").exists()


def test_a_broken_environment_is_mended_and_no_network_is_one_line(programs: Path, tmp_path: Path) -> None:
    """Found: pip's wall, and a half-made environment that stays. Right: made anew; one line."""
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").touch()
    (venv / "bin" / "python").symlink_to(tmp_path / "gone")
    old_python(programs, "python3")
    (programs / "python3.11").symlink_to(sys.executable)

    ended = make(programs, venv, sys.executable)

    assert ended.stdout == f"luminary: the environment in {venv} is incomplete; creating it again\n"
    assert ended.returncode == 1
    assert ended.stderr.startswith("luminary: the package index cannot be reached: check the network")
    assert ended.stderr.count("\n") == 1
    assert subprocess.run([venv / "bin" / "python", "-c", "import pip"], check=True).returncode == 0
