"""Podman and buildah with a store of their own; they need no systemd."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PROGRAMS = ("podman", "buildah", "runc", "debootstrap")
STORE_VARIABLE = "LUMINARY_CONTAINERS"
ENGINE_SETTINGS = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
STORE_SETTINGS = """\
[storage]
driver = "overlay"
runroot = "{folder}/run"
graphroot = "{folder}/storage"
"""


class MissingProgramError(Exception):
    """A program that builds or runs containers is not installed."""


def store() -> Path:
    """The folder of images, containers and downloaded packages, which is kept for the next run."""
    return Path(os.environ.get(STORE_VARIABLE) or Path("~/.cache/luminary-containers").expanduser())


class Engine:
    """Runs podman and buildah."""

    def __init__(self, folder: Path) -> None:
        """folder: where images and containers are kept. Raises MissingProgramError."""
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        if missing:
            raise MissingProgramError(f"apt-get install {' '.join(missing)}")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        engine, storage = folder / "containers.conf", folder / "storage.conf"
        engine.write_text(ENGINE_SETTINGS)
        storage.write_text(STORE_SETTINGS.format(folder=folder))
        self.environment = {
            **os.environ,
            "CONTAINERS_CONF": str(engine),
            "CONTAINERS_STORAGE_CONF": str(storage),
            "BUILDAH_ISOLATION": "chroot",
        }

    def call(
        self, *command: str | Path, check: bool = True, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program. Fails with its output if its exit status is not 0, unless `check` is False."""
        done = subprocess.run(
            command,
            env={**self.environment, **(more or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done

    def podman(self, *arguments: str | Path) -> str:
        """Run podman and return its output."""
        return self.call("podman", *arguments).stdout.strip()

    def run(self, image: str, *command: str, options: Sequence[str] = ()) -> str:
        """Run a command in a new container as the images are meant to run, and return its output."""
        hardened = ("--no-healthcheck", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
        return self.podman("run", "--rm", "--network=none", *hardened, *options, image, *command)

    def inspect(self, image: str) -> dict[str, Any]:
        """What podman knows of an image."""
        [found] = json.loads(self.podman("image", "inspect", image))
        return found

    def has(self, image: str) -> bool:
        """Whether there is an image of this name."""
        return self.call("podman", "image", "exists", image, check=False).returncode == 0
