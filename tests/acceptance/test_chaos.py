"""A short chaos run: each server and service is killed or frozen at least once while jobs of all tasks run.

`python -m tests.chaos` makes long runs, on a busy machine.
"""

from pathlib import Path

import pytest

from tests.chaos.run import chaos

MODEL = Path(__file__).parents[2] / "models" / "tiny"


@pytest.mark.long
def test_killing_and_freezing_everything_changes_no_picture(tmp_path: Path) -> None:
    report = chaos(tmp_path, MODEL, seed=3, faults=7, rounds=1, busy=False)

    print(report)
    assert not report.misses
    assert report.jobs
