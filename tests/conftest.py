"""How the tests share processors and servers.

One thread per process: the tests' models are tiny, and the processes of a test share two cores. Tests that
use the same installation or the same tokenizer service run in one process, so that it starts once.
"""

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED = ("installation", "worker_world")
"""Fixtures of the whole test run that take long to set up."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Put each test into the group of the shared fixture that it uses, or of its file.

    Raises UsageError if pytest-xdist ignores the groups: both processes would then start every server.
    """
    for item in items:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        shared = next((name for name in SHARED if name in fixtures), None)
        item.add_marker(pytest.mark.xdist_group(shared or str(item.path)))
    yield
    if config.getoption("loadgroup", default=False) and not all("@" in item.nodeid for item in items):
        raise pytest.UsageError("pytest-xdist ignores the groups of tests with this version of pytest")
