"""Compare Luminary with fixtures recorded from the reference implementation.

    python -m benchmarks.parity tests/golden/public

Exit status: 0 if all comparisons are within their tolerances, 1 if not, 2 if the folder is not a fixture set.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.parity.comparison import Comparison
from benchmarks.parity.fixture_set import FixtureSet, NotAFixtureSetError
from benchmarks.parity.report import compare, table


def main(arguments: list[str] | None = None) -> int:
    """Print one line for each comparison and the number of misses; return the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks.parity", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a folder with the layout of tests/golden/public")
    parser.add_argument("--device", default="cpu", help="device of the models, such as cuda")
    parsed = parser.parse_args(arguments)
    try:
        fixtures = FixtureSet(parsed.folder, parsed.device)
    except NotAFixtureSetError as error:
        print(error, file=sys.stderr)
        return 2
    rows: list[Comparison] = []
    for line in table(_kept(fixtures, rows)):
        print(line, flush=True)
    misses = sum(not row.ok for row in rows)
    print(f"{len(rows)} comparisons, {misses} missed")
    return 1 if misses or not rows else 0


def _kept(fixtures: FixtureSet, rows: list[Comparison]):
    for row in compare(fixtures):
        rows.append(row)
        yield row


if __name__ == "__main__":
    sys.exit(main())
