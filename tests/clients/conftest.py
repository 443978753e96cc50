"""Fixtures: a whole platform with the bundled model, pictures to edit, and the packages of Node.js."""

import io
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tests.support.platforms.luminary_up import Platform, found, up
from tests.support.source_tree import ROOT

HERE = Path(__file__).parent
INSTALL_SECONDS, SCRIPT_SECONDS = 600, 600


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """`luminary up` with the bundled model."""
    with up(tmp_path_factory.mktemp("clients") / "data", ROOT / "models/tiny") as process:
        url = found(r"is ready after \d+ s: (http://\S+)", process)
        yield Platform(url, found(r"API key.*: (lum_\S+)", process))


def encoded(image: Image.Image) -> bytes:
    """The picture as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def boat() -> bytes:
    """A picture to edit."""
    picture = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(picture).ellipse((16, 16, 48, 48), "red")
    return encoded(picture)


@pytest.fixture(scope="session")
def mask() -> bytes:
    """A mask as OpenAI's documents describe it: transparent where the picture may change."""
    picture = Image.new("RGBA", (64, 64), "red")
    picture.paste((0, 0, 0, 0), (0, 0, 32, 64))
    return encoded(picture)


@pytest.fixture(scope="session")
def run_node(
    platform: Platform, boat: bytes, mask: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], dict[str, Any]]:
    """Runs a script of this folder with the installed packages, and returns the JSON that it prints."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("Node.js and npm are not installed")
    folder = tmp_path_factory.mktemp("node")
    shutil.copy(HERE / "package.json", folder)
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run(command, cwd=folder, check=True, timeout=INSTALL_SECONDS, capture_output=True)
    (folder / "boat.png").write_bytes(boat)
    (folder / "mask.png").write_bytes(mask)

    def run(script: str) -> dict[str, Any]:
        shutil.copy(HERE / script, folder)
        environment = {"PATH": os.environ["PATH"], "URL": platform.url, "KEY": platform.key}
        done = subprocess.run(
            [node, script],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SCRIPT_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    return run
