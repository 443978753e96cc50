"""One wheel, and one environment for each extra, for all tests here."""

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.environments import MakeEnvironment, build_wheel, make_environment


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of these sources."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def environment(wheel: Path) -> Iterator[MakeEnvironment]:
    """Makes the environment of an extra, or finds the one that is there; all are removed at the end."""
    with tempfile.TemporaryDirectory(prefix="luminary-extras-") as folder:
        yield cache(lambda extra: make_environment(Path(folder) / (extra or "none"), wheel, extra))
