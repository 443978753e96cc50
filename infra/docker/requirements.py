"""Print what extras of pyproject.toml require, one a line: `python infra/docker/requirements.py api,io`."""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]


def required_by(extra: str) -> Iterator[str]:
    """The requirements of an extra, and of the extras of ours that it includes."""
    for line in project["optional-dependencies"][extra]:
        if line.startswith(f"{project['name']}["):
            for included in line.partition("[")[2].rstrip("]").split(","):
                yield from required_by(included)
        else:
            yield line


lines = [*project["dependencies"], *(line for extra in sys.argv[1].split(",") for line in required_by(extra))]
sys.stdout.write("".join(f"{line}\n" for line in dict.fromkeys(lines)))
