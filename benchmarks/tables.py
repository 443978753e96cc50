"""Write docs/benchmarks.md from the JSON results of the benchmarks.

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
    """The rows of `benchmarks.engine` as a Markdown table."""
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
    """The ratios as a Markdown table."""
    lines = ["| precision | of | median | least | most |", "|---|---|---|---|---|"]
    for ratio in ratios:
        numbers = " | ".join(f"{ratio[name]:.2f}" for name in ("median", "least", "most"))
        lines.append(f"| {ratio['precision']} | {ratio['what']} | {numbers} |")
    return "\n".join(lines)


def page(results: Mapping[str, Any], speculation: Mapping[str, Any], gpu: Mapping[str, Any]) -> str:
    """The page in Markdown: the engine on the CPU, speculation, the GPU."""
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    guessed_on = ", ".join(f"{name} {value}" for name, value in speculation["machine"].items())
    return f"""# Benchmarks

`make bench` writes this page; change the program, not the page. Other pages have figures of
[the platform](platform_benchmarks.md), [claims](claim_benchmarks.md), [event streams](stream_benchmarks.md)
and [sessions](session_benchmarks.md); [capacity](capacity.md) has what a GPU and a fleet can do.

A model with random weights (hidden 1024, 12 layers, 16 heads, 8,192 ids; 171 million parameters) draws
pictures of 256x256 at guidance 4. It is compared with Hugging Face transformers' Chameleon on the same
weights, which takes two forward calls per token for guidance. Speeds are for the whole batch. Each number is
the median over {results["rounds"]} rounds of the median over the steps of a round. `bandwidth` is the share
of this machine's measured read bandwidth ({results["read_bandwidth_gb_per_second"]} GB/s) that a step
uses to read weights and cached keys and values. With random weights few drafts are accepted; the gain from
speculation is measured on a trained model below.

Machine: {machine}.

{table(results["rows"])}

Ratios of tokens/s between two rows, calculated within each round:

{ratio_table(results["ratios"])}

## Speculation on the bundled model

The model draws held-out questions of 64x64 pictures, one at a time; the table has medians (`python -m
benchmarks.speculation`). All ways of decoding drew the same codes. `time` and `passes` are sequential divided
by speculative, with the windows that the engine finds fastest on this machine. `widest` is the ratio of
passes with 63 drafts, which is the fastest way where a pass takes the same time at any width.

Machine: {guessed_on}.

{speculation_table(speculation["rows"])}

{gpu_section(gpu)}"""


def main() -> None:
    """Read the JSON files and write the page."""
    *sources, target = map(Path, sys.argv[1:])
    results, speculation, gpu = (json.loads(source.read_text(encoding="utf-8")) for source in sources)
    target.write_text(page(results, speculation, gpu), encoding="utf-8")


if __name__ == "__main__":
    main()
