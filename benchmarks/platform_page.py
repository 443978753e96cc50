"""docs/platform_benchmarks.md, the page of the platform's benchmark."""

from collections.abc import Mapping
from typing import Any

from services.worker.job.steps import Step

PHASES = {
    "accepting": "the gateway reads and validates the request",
    "waking": "the gateway writes the job and sends a doorbell; a slot claims the job",
    Step.PREPARING: "the worker plans the token sequence",
    Step.GENERATING: "the engine draws; the worker saves the first progress",
    Step.SAVING: "the worker saves the last codes",
    Step.DECODING: "the tokenizer service decodes the picture; the worker adds the metadata",
    Step.STORING: "the worker uploads the picture to the object storage",
    Step.COMMITTING: "one transaction writes picture, codes, usage, the job's end and webhook deliveries",
    "answering": "the worker ends its claim; the gateway answers the waiting client",
}


def page(results: Mapping[str, Any]) -> str:
    """The page in Markdown."""
    overhead, concurrency, cancel = results["overhead"], results["concurrency"], results["cancel"]
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    phases = "\n".join(
        f"| {name} | {overhead['phases'][name]:.1f} | {meaning} |" for name, meaning in PHASES.items()
    )
    return f"""# What the platform costs

`python -m benchmarks.platform` writes this page; change the program, not the page.

Everything runs on one machine as `luminary up` starts it: gateway, worker, io worker, tokenizer service,
PostgreSQL with fsync, Valkey, S3. The models have random weights and run in fp32 on the CPU.

Machine: {machine}.

## One tiny job
A model of nine million parameters draws one picture of {overhead["size"]} at a time, with `Prefer: wait=60`.
The times are medians of {overhead["runs"]} jobs. Before each job, the bare models draw the same picture in
another process:

| | ms |
|---|---|
| from request to answer | {overhead["total"]:.1f} |
| the engine alone | {overhead["engine_alone"]:.1f} |
| the image tokenizer alone | {overhead["tokenizer_alone"]:.1f} |
| **overhead of the platform** | **{overhead["overhead"]:.1f}** |

The job's time by phase, medians:

| phase | ms | what happens |
|---|---|---|
{phases}

## Eight jobs
A model of 171 million parameters, whose weights are read from memory in each pass, draws
{concurrency["jobs"]} jobs of {concurrency["size"]} in {concurrency["one_by_one_seconds"]:.1f} s one after
another, and in {concurrency["at_once_seconds"]:.1f} s at once. That is
**{concurrency["ratio"]:.1f} times** the throughput, and the pictures have the same bits.

## Cancel
{cancel["runs"]} running jobs of 256x256 were canceled. This took {cancel["median_seconds"]:.2f} s (median),
at most {cancel["longest_seconds"]:.2f} s. A job's partial picture was stored after that.
"""
