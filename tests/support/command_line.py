"""Helpers for tests of the command line, which runs in the test's process."""

import json
from collections.abc import Callable
from pathlib import Path

from PIL import Image

Run = Callable[..., int]


def parameters(file: Path) -> dict[str, object]:
    """The recipe that the command line has written into a picture."""
    with Image.open(file) as picture:
        return json.loads(picture.info["luminary"])
