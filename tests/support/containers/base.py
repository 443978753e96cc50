"""The base image: the one of BASE_IMAGE, or a Debian with Python that debootstrap makes."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

from tests.support.containers.engine import Engine

BASE = "localhost/luminary-base:bookworm"
SUITE = "bookworm"
INCLUDED = "python3,python3-venv,ca-certificates"
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")


def base_image(engine: Engine) -> str:
    """The name of the base image, which is made if it is missing."""
    if given := os.environ.get("BASE_IMAGE"):
        return given
    if not engine.has(BASE):
        with tempfile.TemporaryDirectory(prefix="luminary-base-") as folder:
            make(engine, Path(folder))
    return BASE


def make(engine: Engine, folder: Path) -> None:
    """Install Debian below the folder and import it as an image."""
    root = folder / "root"
    engine.call("debootstrap", "--variant=minbase", f"--include={INCLUDED}", SUITE, root, mirror())
    for leftover in (
        "var/cache/apt",
        "var/lib/apt/lists",
        "usr/share/doc",
        "usr/share/man",
        "usr/share/locale",
    ):
        engine.call("rm", "-rf", root / leftover)
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(["podman", "import", "-", BASE], stdin=tar.stdout, env=engine.environment, check=True)
    assert tar.returncode == 0


def mirror() -> str:
    """The mirror that this machine installs packages from."""
    found = re.search(r"^URIs: (\S+)", SOURCES.read_text(), re.MULTILINE)
    assert found, f"{SOURCES} names no mirror: set BASE_IMAGE"
    return found[1]
