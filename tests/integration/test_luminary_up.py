"""`luminary up` as its user meets it: start, draw, Ctrl-C, start again, find the picture."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from infra.local.ports import free_ports
from tests.integration.random_models import write_decoder, write_movqgan
from tests.integration.test_local_stack import ROOT, children, wait_for_line, wait_until_gone

NOT_OURS = ("_URL", "_PORT", "_MODEL")
"""Variables of a developer's shell that would change what is started."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_decoder(tmp_path_factory.mktemp("models") / "random")
    write_movqgan(folder / "movqgan")
    return folder


@contextmanager
def up(data: Path, model: Path) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own; killed, if it still runs, when the block ends."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith(NOT_OURS)}
    # the usual ports are for whoever else runs a platform on this machine
    gateway, tokenizer = free_ports(2)
    ports = {"GATEWAY_PORT": str(gateway), "TOKENIZER_PORT": str(tokenizer)}
    process = subprocess.Popen(
        [Path(sys.executable).with_name("luminary"), "up", "--data", str(data), "--model", str(model)],
        cwd=ROOT,
        env={**kept, **ports, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
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
    """The first group of the pattern in what the command prints."""
    return re.search(pattern, wait_for_line(process, pattern))[1]


def ask(url: str, key: str, body: dict[str, Any] | None = None) -> httpx2.Response:
    """GET, or POST with a body, with the key."""
    headers = {"Authorization": f"Bearer {key}", "Prefer": "wait=60"}
    return httpx2.request("GET" if body is None else "POST", url, headers=headers, json=body, timeout=90)


def test_a_picture_outlives_ctrl_c_and_no_process_does(tmp_path: Path, model: Path) -> None:
    with up(tmp_path, model) as first:
        url = found(r"is ready after \d+ s: (http://\S+)", first)
        key = found(r"API key.*: (lum_\S+)", first)
        job = ask(f"{url}/v1/jobs", key, {"prompt": "a red ball", "seed": 7}).json()
        assert job["status"] == "succeeded", job
        picture = ask(job["outputs"][0]["url"], key).content
        pids = children(tmp_path)
        first.send_signal(signal.SIGINT)
        wait_for_line(first, "stopped")
        assert first.wait() == 0
        wait_until_gone(pids)

    with up(tmp_path, model) as second:
        again = found(r"is ready after \d+ s: (http://\S+)", second)
        wait_for_line(second, "your API key is the one of the first start")
        path = job["outputs"][0]["url"].removeprefix(url)
        assert ask(again + path, key).content == picture
        pids = children(tmp_path)
        second.send_signal(signal.SIGTERM)
        assert second.wait() == 0
        wait_until_gone(pids)


def test_a_start_that_cannot_succeed_is_one_line(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    with up(tmp_path, nothing) as command:
        assert command.stdout is not None
        output = command.stdout.read()
        assert command.wait() == 1
    assert (
        output
        == f"luminary: There is no model in {nothing} (no config.json): name one with --model FOLDER.\n"
    )


@pytest.mark.parametrize("file", ["model.safetensors", "movqgan/model.safetensors"])
def test_damaged_weights_are_told_in_words(file: str, model: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(model, tmp_path / "damaged")
    os.truncate(damaged / file, 4096)

    with up(tmp_path / "data", damaged) as process:
        told, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert re.search(r"cannot use the model \S+/damaged", told)
    assert not re.search('Traceback|File "', told)
