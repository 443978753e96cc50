"""Write docs/capacity.md and its plots: `python -m benchmarks.capacity`."""

import json
from pathlib import Path

from benchmarks.capacity.page import page
from benchmarks.capacity.plots import write_plots

DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    """Write the page and the plots."""
    measured = json.loads((DOCS / "benchmarks" / "h100.json").read_text(encoding="utf-8"))
    fleet = json.loads((DOCS / "benchmarks" / "fleet.json").read_text(encoding="utf-8"))
    (DOCS / "capacity.md").write_text(page(measured, fleet), encoding="utf-8")
    (DOCS / "plots").mkdir(exist_ok=True)
    write_plots(fleet, DOCS / "plots")


if __name__ == "__main__":
    main()
