"""Turn a benchmark's JSON into the page that is read.

python -m benchmarks.tables docs/benchmarks/{engine,speculation,h100}.json docs/benchmarks.md
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu_section import gpu_section, speculation_table

HEADINGS = (
    "engine",
    "precision",
    "pictures",
    "decoding",
    "tokens/s",
    "ms a pass",
    "passes",
    "bandwidth",
    "peak MiB",
)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    for row in rows:
        fraction = row["bandwidth_fraction"]
        cells = (
            row["engine"],
            row["precision"],
            row["batch"],
            row["decoding"],
            f"{row['tokens_per_second']:.1f}",
            f"{row['milliseconds_per_pass']:.1f}",
            f"{row['passes_per_picture']:.0f}",
            "" if fraction is None else f"{fraction:.2f}",
            row["peak_mib"] or "",
        )
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)


def ratio_table(ratios: Sequence[Mapping[str, Any]]) -> str:
    """The ratios as Markdown."""
    lines = ["| precision | of | median | least | most |", "|---|---|---|---|---|"]
    for ratio in ratios:
        numbers = " | ".join(f"{ratio[name]:.2f}" for name in ("median", "least", "most"))
        lines.append(f"| {ratio['precision']} | {ratio['what']} | {numbers} |")
    return "\n".join(lines)


def page(results: Mapping[str, Any], speculation: Mapping[str, Any], gpu: Mapping[str, Any]) -> str:
    """The whole page: what was measured, where, the table; what speculation brings; then the GPU's."""
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    guessed_on = ", ".join(f"{name} {value}" for name, value in speculation["machine"].items())
    return f"""# Benchmarks

Written by `make bench`; change the program, not this page.

A random-weight model (hidden 1024, 12 layers, 16 heads, 8,192 ids; 171 million parameters) draws 256x256
pictures at guidance 4, beside Hugging Face transformers' own Chameleon on the same weights, guided by two
forwards. Speeds are of all pictures together: medians over {results["rounds"]} rounds, in each of which
every figure is the median over some steps. `bandwidth` is the share
of this machine's measured read bandwidth ({results["read_bandwidth_gb_per_second"]} GB/s) that a step
reaches, counting the weights and cached keys that it must read. Random weights accept few drafts: what
speculation brings shows on a trained model.

Machine: {machine}.

{table(results["rows"])}

How many times the tokens/s of another row, each ratio of two figures of the same round:

{ratio_table(results["ratios"])}

## What speculation brings on the bundled model

Held-out questions of 64x64 pictures, one at a time, medians (`python -m benchmarks.speculation`). All ways
drew the same codes. `time` and `passes` are how many times less speculation takes with the windows that the
engine finds fastest here; `widest` is how many times fewer passes 63 drafts take, which pays where passes
cost alike whatever their width.

Machine: {guessed_on}.

{speculation_table(speculation["rows"])}

{gpu_section(gpu)}"""


def main() -> None:
    """Read JSON, write Markdown."""
    *sources, target = map(Path, sys.argv[1:])
    results, speculation, gpu = (json.loads(source.read_text(encoding="utf-8")) for source in sources)
    target.write_text(page(results, speculation, gpu), encoding="utf-8")


if __name__ == "__main__":
    main()
