"""The progress bar on a terminal, and its silence elsewhere."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import Run


def on_a_terminal(*command: str) -> str:
    """What a command writes to a terminal, its control sequences taken out. It has to succeed."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        command,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
    ) as process:
        os.close(follower)
        written = b""
        while chunk := read(leader):
            written += chunk
        os.close(leader)
    assert process.returncode == 0, written.decode()
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode())


def read(leader: int) -> bytes:
    """The next bytes of a terminal; none when its last writer has closed it, which Linux calls an error."""
    try:
        return os.read(leader, 4096)
    except OSError:
        return b""


def test_a_terminal_sees_tokens_speed_passes_and_time(model: Path, tmp_path: Path):
    script = "from luminary.cli import main; main()"
    arguments = [
        "generate",
        "--model",
        str(model),
        "--prompt",
        "a",
        "--size",
        "32x32",
        "--out",
        str(tmp_path),
    ]
    seen = on_a_terminal(sys.executable, "-c", script, *arguments, "--seed", "6")
    assert re.search(r"drawing .* 16/16 tokens +[0-9.]+/s +[0-9]+ passes +[0-9]{2}:[0-9]{2}", seen)
    assert "0/0 tokens" not in seen
    assert "a-6-0.png" in "".join(seen.split())


def test_elsewhere_only_the_chosen_seed_is_on_stderr(
    luminary: Run, capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
):
    assert luminary("generate", "--model", model, "--prompt", "a", "--size", "32x32", "--out", tmp_path) == 0
    (file,) = tmp_path.glob("*.png")
    seed = file.stem.split("-")[1]
    assert capsys.readouterr().err == f"seed {seed}\n"
