"""Run `luminary up` in its own process, read its output and call its gateway."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.support.servers.supervised import ROOT, wait_for_line

NOT_OURS = ("_URL", "_PORT", "_MODEL")
"""Suffixes of variables in a developer's shell that would change what is started."""


@dataclass(frozen=True)
class Platform:
    """A running platform."""

    url: str
    key: str


@contextmanager
def up(
    data: Path,
    model: Path,
    *,
    python: Path = Path(sys.executable),
    folder: Path = ROOT,
    variables: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Run the command in its own process; if it still runs at the end of the block, it is killed.

    It reserves ports by itself; a port that the test had chosen could be taken by another program meanwhile.

    python: interpreter of the environment whose command runs. folder: its working directory.
    variables: further variables of its environment.
    """
    kept = {name: value for name, value in os.environ.items() if not name.endswith(NOT_OURS)}
    state = {"XDG_STATE_HOME": str(data.parent / "state")}
    process = subprocess.Popen(
        [python.with_name("luminary"), "up", "--data", str(data), "--model", str(model)],
        cwd=folder,
        env={**kept, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", **state, **(variables or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def found(pattern: str, process: subprocess.Popen[str]) -> str:
    """The first group of the pattern in the output of the command."""
    match = re.search(pattern, wait_for_line(process, pattern))
    assert match is not None
    return match[1]


def ask(url: str, key: str, body: dict[str, Any] | None = None, *, wait: int = 60) -> httpx2.Response:
    """Send a GET, or a POST if there is a body, with the key. wait: seconds to wait for a new job's end."""
    headers = {"Authorization": f"Bearer {key}"} | ({"Prefer": f"wait={wait}"} if wait else {})
    return httpx2.request("GET" if body is None else "POST", url, headers=headers, json=body, timeout=90)
