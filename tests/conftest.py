"""How the tests share processors and servers.

One thread per process: the tests' models are tiny, and the processes of a test share two cores. Tests that
use the same installation or the same tokenizer service run in one process, so that it starts once. Tests of
running services mostly wait, and unit tests compute, so both kinds take turns.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED = ("installation", "worker_world")
"""Fixtures of the whole test run that take long to set up."""


WAITING = tuple(Path(__file__).parent / folder for folder in ("acceptance", "integration"))
"""Folders of tests that mostly wait for services."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put each test into the group of the shared fixture that it uses, or of its file, and mix the groups."""
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        shared = next((name for name in SHARED if name in fixtures), None)
        group = shared or str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
        groups.setdefault(group, []).append(item)
    waiting = [group for group in groups.values() if waits(group[0])]
    computing = [group for group in groups.values() if not waits(group[0])]
    items[:] = [item for group in in_turns(waiting, computing) for item in group]


def waits(item: pytest.Item) -> bool:
    """Whether the test mostly waits for services."""
    return any(item.path.is_relative_to(folder) for folder in WAITING)


def in_turns(*kinds: Sequence[list[pytest.Item]]) -> list[list[pytest.Item]]:
    """The groups of all kinds, each kind spread evenly and in its own order."""
    placed = [(place / len(groups), group) for groups in kinds for place, group in enumerate(groups)]
    return [group for _, group in sorted(placed, key=lambda pair: pair[0])]
