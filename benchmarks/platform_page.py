"""The page of the platform's benchmark."""

from collections.abc import Mapping
from typing import Any

PHASES = {
    "accepting": "the request is read, checked and about to be written",
    "waking": "the row is written, the doorbell rings, a slot claims the job",
    "preparing": "the request is laid out for the engine",
    "generating": "the engine draws, and the first progress is saved",
    "saving": "the last codes are saved",
    "decoding": "the tokenizer service makes the picture, the recipe is written into it",
    "storing": "the picture goes into the object storage",
    "committing": "one transaction: picture, codes, usage, end of the job, webhooks",
    "answering": "the claim ends, and in the end the waiting client is told",
}


def page(results: Mapping[str, Any]) -> str:
    """What was measured, where, and the figures."""
    overhead, concurrency, cancel = results["overhead"], results["concurrency"], results["cancel"]
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    phases = "\n".join(
        f"| {name} | {overhead['phases'][name]:.1f} | {meaning} |" for name, meaning in PHASES.items()
    )
    return f"""# What the platform costs

Written by `python -m benchmarks.platform`; change the program, not this page.

Everything runs on one machine as `luminary up` starts it: gateway, worker, io worker, tokenizer service,
PostgreSQL with fsync, Valkey, S3. Models are random and run at fp32 on the CPU.

Machine: {machine}.

## A tiny job, alone
{overhead["size"]} by a model of nine million parameters, `Prefer: wait=60`, medians of {overhead["runs"]}.
Each job is compared with the bare models' work for the same picture right before it:

| | ms |
|---|---|
| from request to answer | {overhead["total"]:.1f} |
| the engine alone, in a process of its own | {overhead["engine_alone"]:.1f} |
| the image tokenizer alone | {overhead["tokenizer_alone"]:.1f} |
| **the platform** | **{overhead["overhead"]:.1f}** |

Where it goes, medians of each phase:

| phase | ms | |
|---|---|---|
{phases}

## Eight jobs
{concurrency["jobs"]} jobs of {concurrency["size"]} on a model of 171 million parameters, all read from
memory in each pass: {concurrency["one_by_one_seconds"]:.1f} s one after another,
{concurrency["at_once_seconds"]:.1f} s at once. That is **{concurrency["ratio"]:.1f} times** the throughput,
with the same pictures bit by bit.

## Cancel
{cancel["runs"]} running jobs of 256x256 were canceled, their partial pictures in the storage, after
{cancel["median_seconds"]:.2f} s (median); the longest took {cancel["longest_seconds"]:.2f} s.
"""
