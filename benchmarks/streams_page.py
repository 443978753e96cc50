"""docs/stream_benchmarks.md, the page of the benchmark of event streams."""

from collections.abc import Mapping
from typing import Any

CASES = {"idle": "nothing else runs", "busy": "two processes draw pictures without a pause"}


def page(results: Mapping[str, Any]) -> str:
    """The page in Markdown."""
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    faults = results["faults"]
    killed = f"the gateway {faults['killed'].count('gateway')} times and Valkey once"
    rows = "\n".join(row(meaning, results[case]) for case, meaning in CASES.items())
    return f"""# Event streams

`python -m benchmarks.streams` writes this page; change the program, not the page.

{results["idle"]["readers_per_round"]} readers follow 100 jobs, two each, on one gateway process; PostgreSQL
commits durably. The time of an event runs from the statement that writes it, which is before its commit, to
its arrival at a reader. The readers, the program that acts as the worker, and all servers share the machine.

Machine: {machine}.

| meanwhile | live events | p50 ms | p99 ms | longest ms | MiB of the gateway after each round |
|---|---|---|---|---|---|
{rows}

With {killed} while the jobs ran, {faults["readers"]} readers got {faults["events"]} events over
{faults["connections"]} connections. Readers that missed an event, got one twice or got them in another order:
{faults["readers_with_missed_or_doubled_events"]}.
"""


def row(meaning: str, case: Mapping[str, Any]) -> str:
    """One line of the table."""
    memory = ", ".join(f"{mib:.0f}" for mib in case["resident_mib"])
    times = " | ".join(f"{case[name]:.1f}" for name in ("p50_ms", "p99_ms", "longest_ms"))
    return f"| {meaning} | {case['events']} | {times} | {memory} |"
