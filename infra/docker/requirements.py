"""Print what extras of pyproject.toml require, one a line: `python infra/docker/requirements.py api,io`."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"]
required = [*project["dependencies"], *(line for name in sys.argv[1].split(",") for line in extras[name])]
sys.stdout.write("".join(f"{line}\n" for line in required))
