"""Measure the platform's overhead over the bare models, and the gain from continuous batching.

    python -m benchmarks.platform --out docs/benchmarks/platform.json --page docs/platform_benchmarks.md

Starts `luminary up` on an empty folder with a random model and measures through its gateway:

overhead    time of one tiny job from the first byte of the request to the last byte of the answer, minus
            the time of the same drawing and decoding in this process
concurrency time of eight jobs at once and of the same eight one after another, 171 million parameters
cancel      time from the cancel request until the job is canceled; its partial picture comes later
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.platform_models import BareModels, ModelTimes, write_models
from benchmarks.platform_page import page
from benchmarks.platform_run import RunningPlatform, running_platform
from benchmarks.random_model import SMALL

TINY, LONG, BATCHED = "64x64", "256x256", "96x96"
JOBS = 8
PROMPT = "a red circle"


def seconds_of(text: str) -> float:
    """Unix seconds of a timestamp from the API."""
    return datetime.fromisoformat(text).timestamp()


def tiny_job(platform: RunningPlatform, seed: int) -> dict[str, float]:
    """Milliseconds of one job by phase; `total` is their sum."""
    begun = time.time()
    job = platform.draw(PROMPT, TINY, seed)
    done = time.time()
    created, started = seconds_of(job["created_at"]), seconds_of(job["started_at"])
    before = {"accepting": 1000 * (created - begun), "waking": 1000 * (started - created)}
    within = platform.milliseconds_of(job["id"])
    total = 1000 * (done - begun)
    answering = total - sum(before.values()) - sum(within.values())
    return {**before, **within, "answering": answering, "total": total}


def overhead(platform: RunningPlatform, bare: BareModels, runs: int) -> dict[str, Any]:
    """Medians in milliseconds. Each job is compared with the bare models, which draw the same picture before.

    A first job, which is not measured, opens all connections.
    """
    platform.draw(PROMPT, TINY, 0)
    bare.draw(0)
    models: list[ModelTimes] = []
    jobs: list[dict[str, float]] = []
    for seed in range(1, runs + 1):
        models.append(bare.draw(seed))
        jobs.append(tiny_job(platform, seed))
    phases = {name: median([job[name] for job in jobs]) for name in jobs[0]}
    return {
        "runs": runs,
        "size": TINY,
        "total": phases.pop("total"),
        "engine_alone": median([model.engine for model in models]),
        "tokenizer_alone": median([model.tokenizer for model in models]),
        "overhead": median(
            [job["total"] - model.engine - model.tokenizer for job, model in zip(jobs, models, strict=True)]
        ),
        "phases": phases,
    }


def median(milliseconds: list[float]) -> float:
    """The median, rounded to 0.01 ms."""
    return round(statistics.median(milliseconds), 2)


def wall_seconds(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def concurrency(platform: RunningPlatform) -> dict[str, Any]:
    """Seconds of eight jobs one after another, and of the same jobs at once."""
    seeds = range(100, 100 + JOBS)

    def draw(seed: int) -> Mapping[str, Any]:
        return platform.draw(PROMPT, BATCHED, seed)

    draw(99)
    one_by_one = wall_seconds(lambda: [draw(seed) for seed in seeds])
    with ThreadPoolExecutor(JOBS) as clients:
        at_once = wall_seconds(lambda: list(clients.map(draw, seeds)))
    return {
        "jobs": JOBS,
        "size": BATCHED,
        "one_by_one_seconds": round(one_by_one, 2),
        "at_once_seconds": round(at_once, 2),
        "ratio": round(one_by_one / at_once, 2),
    }


def canceled_after(platform: RunningPlatform, seed: int) -> float:
    """Seconds from the cancel request to the job's `finished_at`; both times use this machine's clock."""
    job_id = platform.submit(PROMPT, LONG, seed)
    platform.wait_until(job_id, lambda job: job["progress"]["tokens_done"] > 0)
    begun = time.time()
    platform.cancel(job_id)
    job = platform.wait_until(job_id, lambda job: job["finished_at"] is not None)
    if job["status"] != "canceled":
        raise RuntimeError(f"the job ended with status {job['status']}")
    return seconds_of(job["finished_at"]) - begun


def cancel(platform: RunningPlatform, runs: int) -> dict[str, Any]:
    """Median and longest time in seconds to cancel a running job."""
    seconds = [canceled_after(platform, 200 + seed) for seed in range(runs)]
    return {
        "runs": runs,
        "median_seconds": round(statistics.median(seconds), 3),
        "longest_seconds": round(max(seconds), 3),
    }


def main() -> None:
    """Measure, then write the results as JSON and as a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--page", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=30)
    arguments = parser.parse_args()
    machine = describe_machine()
    with tempfile.TemporaryDirectory(prefix="luminary-benchmark-") as name:
        folder = Path(name)
        small = write_models(folder / "small", SMALL)
        with running_platform(folder / "first", small, slots=JOBS) as platform:
            results = {
                "machine": machine,
                "overhead": overhead(platform, BareModels(small, PROMPT, TINY), arguments.runs),
                "cancel": cancel(platform, arguments.runs // 2),
            }
        large = write_models(folder / "large")
        with running_platform(folder / "second", large, slots=JOBS) as platform:
            results["concurrency"] = concurrency(platform)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    arguments.page.write_text(page(results), encoding="utf-8")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
