"""Measure a large model on the platform: speed beside a long prompt, cancellation, accuracy of the time left.

    python -m benchmarks.large_model MODEL_FOLDER --picture 768x768 --out large.json

Starts `luminary up` with a model folder and measures through its gateway:

neighbour  codes per second of a small picture, alone and during the prefill of an edit in the same batch
cancel     seconds from the cancel request until the job is canceled, by phase of the job
time       error of the reported time left, beginning ten seconds after the start of the job
resume     the same after a resume on a restarted worker

With billions of parameters this takes about half an hour on two cores; `benchmarks.random_model` writes such
a model.
"""

import io
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image

from benchmarks.machine import describe_machine
from benchmarks.platform_run import RunningPlatform, running_platform
from shared.jobs import Phase

Job = Mapping[str, Any]
LONG_SECONDS = 1200.0
LOOK_SECONDS = 0.5
POLL_SECONDS = 0.05
"""Pause between two requests, which leaves the gateway time for its work."""


def noise(size: str, seed: int) -> bytes:
    """A PNG with random pixels; a new seed gives a picture that no cache of codes knows."""
    width, height = map(int, size.split("x"))
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


class LargeModel:
    """The measurements on a running platform."""

    def __init__(self, platform: RunningPlatform, *, picture: str, small: str, window: float) -> None:
        """picture: size of the edit. small: size of its batch neighbour. window: seconds of a measurement."""
        self._platform = platform
        self._picture = picture
        self._small = small
        self._window = window
        self._seeds = iter(range(1, 1_000))

    def draw(self, size: str) -> str:
        """Submit a text_to_image job; return its id."""
        return self.ask({"prompt": "a red circle", "size": size, "seed": next(self._seeds)})

    def edit(self) -> str:
        """Submit an edit of a new large picture; return its id."""
        image = self._platform.upload(noise(self._picture, next(self._seeds)))
        return self.ask({"task": "edit", "prompt": "make it winter", "image": image, "size": self._picture})

    def ask(self, request: Job) -> str:
        """Submit a job of any size, trained or not: a model with random weights draws noise anyway."""
        return self._platform.submit_request({**request, "allow_untrained_size": True})

    def reach(self, job_id: str, condition: Callable[[Job], bool]) -> Job:
        """Wait until the job meets the condition. Raises RuntimeError when the job ends before."""

        def met(job: Job) -> bool:
            return condition(job) or job["finished_at"] is not None

        job = self._platform.wait_until(job_id, met, LONG_SECONDS, POLL_SECONDS)
        if not condition(job):
            raise RuntimeError(f"the job ended with status {job['status']} before it met the condition")
        return job

    def cancel(self, job_id: str) -> float:
        """Cancel the job; return the seconds until it is canceled."""
        started = time.monotonic()
        self._platform.cancel(job_id)
        job = self.reach(job_id, lambda job: job["finished_at"] is not None)
        if job["status"] != "canceled":
            raise RuntimeError(f"the job ended with status {job['status']}")
        return round(time.monotonic() - started, 3)

    def speed(self, job_id: str, until: Callable[[], bool] = lambda: False) -> float | None:
        """Codes per second of a job during the window, or until `until()`; None for less than 5 seconds."""
        started, before = time.monotonic(), self._platform.job(job_id)["progress"]["tokens_done"]
        while time.monotonic() - started < self._window and not until():
            time.sleep(LOOK_SECONDS)
        seconds = time.monotonic() - started
        done = self._platform.job(job_id)["progress"]["tokens_done"] - before
        return round(done / seconds, 3) if seconds >= 5.0 else None

    def beside_a_prompt(self) -> dict[str, Any]:
        """Speed of a small picture alone, during the prefill of an edit, and alone again after its cancel."""
        neighbour = self.draw(self._small)
        self.reach(neighbour, drawing)
        before = self.speed(neighbour)
        edit = self.edit()
        self.reach(edit, lambda job: job["progress"]["phase"] == Phase.PREFILL)

        def read() -> bool:
            return self._platform.job(edit)["progress"]["phase"] != Phase.PREFILL

        started, first = time.monotonic(), self._platform.job(edit)["progress"]["prefill_rows_done"]
        beside = self.speed(neighbour, read)
        progress, seconds = self._platform.job(edit)["progress"], time.monotonic() - started
        canceled = self.cancel(edit)
        after = self.speed(neighbour)
        self.cancel(neighbour)
        alone = [speed for speed in (before, after) if speed]
        return {
            "prefill_rows": progress["prefill_rows"],
            "from_row": first,
            "to_row": progress["prefill_rows_done"],
            "prompt_rows_per_second": round((progress["prefill_rows_done"] - first) / seconds, 2),
            "codes_per_second_before": before,
            "codes_per_second_beside": beside,
            "codes_per_second_after": after,
            "kept": round(beside * len(alone) / sum(alone), 3) if beside and alone else None,
            "cancel_in_prefill_seconds": canceled,
        }

    def cancels(self) -> dict[str, float]:
        """Seconds until a cancel takes effect in the phases encoding, generating and decoding."""
        edit = self.edit()
        self.reach(edit, lambda job: job["progress"]["phase"] == Phase.ENCODING)
        seconds = {"encoding": self.cancel(edit)}
        job_id = self.draw(self._small)
        self.reach(job_id, lambda job: job["progress"]["tokens_done"] > 40)
        seconds["generating"] = self.cancel(job_id)
        job_id = self.draw("64x64")
        self.reach(job_id, lambda job: job["progress"]["phase"] == Phase.DECODING or job["finished_at"])
        seconds["decoding"] = self.cancel(job_id)
        return seconds

    def time_left(self, size: str, *, killed: bool) -> dict[str, Any]:
        """Relative errors of the reported time left.

        killed: kill the worker when the picture is half drawn, and measure after the resume.
        """
        job_id = self.draw(size)
        if killed:
            self.reach(job_id, half_drawn)
            os.kill(self._platform.worker_pid(), signal.SIGKILL)
            self.reach(job_id, lambda job: job["progress"]["phase"] == Phase.WORKER_LOST)
            self.reach(
                job_id, lambda job: job["attempt"] > 1 and job["progress"]["phase"] == Phase.GENERATING
            )
        started = time.monotonic()
        shown = list(self._shown(job_id))
        ended = time.monotonic()
        errors = [
            (round(moment - started, 1), round(eta / (ended - moment) - 1, 3))
            for moment, eta in shown
            if moment - started >= 10.0 and ended - moment >= 5.0
        ]
        return {
            "size": size,
            "seconds": round(ended - started, 1),
            "largest_error": max((abs(error) for _, error in errors), default=None),
            "errors": errors,
        }

    def _shown(self, job_id: str) -> Iterator[tuple[float, float]]:
        """Pairs of (time of the request, reported seconds left) until the job ends."""
        while True:
            job = self._platform.job(job_id)
            if job["finished_at"] is not None:
                return
            if job["progress"]["eta_seconds"] is not None:
                yield time.monotonic(), job["progress"]["eta_seconds"]
            time.sleep(LOOK_SECONDS)


def drawing(job: Job) -> bool:
    """True once the job has drawn its first codes."""
    return job["progress"]["phase"] == Phase.GENERATING and job["progress"]["tokens_done"] > 2


def half_drawn(job: Job) -> bool:
    """True once more than half of the job's codes are drawn."""
    return 2 * job["progress"]["tokens_done"] > job["progress"]["tokens_total"] > 0


def report(results: dict[str, Any], name: str, value: object) -> None:
    """Store a result and print it."""
    results[name] = value
    print(json.dumps({name: value}), flush=True)


@click.command(help=__doc__)
@click.argument("model", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--tokenizer",
    type=click.Path(path_type=Path, exists=True),
    help="Image tokenizer. [default: the one in the model folder]",
)
@click.option("--picture", default="768x768", help="Size of the edit, which has a long prompt.")
@click.option("--small", default="256x256", help="Size of its batch neighbour.")
@click.option("--timed", default="160x160", help="Size of the picture for the time left.")
@click.option("--window", default=60.0, help="Seconds of a speed measurement.")
@click.option("--part", "parts", multiple=True, help="neighbour, cancel, time or resume. [default: all]")
@click.option("--dtype", default="auto")
@click.option("--kv-cache-tokens", default=45_056)
@click.option("--out", type=click.Path(path_type=Path))
def main(
    *,
    model: Path,
    tokenizer: Path | None,
    picture: str,
    small: str,
    timed: str,
    window: float,
    parts: tuple[str, ...],
    dtype: str,
    kv_cache_tokens: int,
    out: Path | None,
) -> None:
    """Run the wanted parts, print the results, and write them as JSON."""
    settings = {
        "WORKER_DTYPE": dtype,
        "WORKER_KV_CACHE_TOKENS": str(kv_cache_tokens),
    }
    if tokenizer is not None:
        settings["TOKENIZER_MODEL"] = str(tokenizer)
    results: dict[str, Any] = {"machine": describe_machine()}
    wanted = parts or ("neighbour", "cancel", "time", "resume")
    with tempfile.TemporaryDirectory(prefix="luminary-large-") as name:
        data = Path(name) / "data"
        with running_platform(data, model, slots=4, settings=settings, start_seconds=900.0) as platform:
            measured = LargeModel(platform, picture=picture, small=small, window=window)
            steps: dict[str, Callable[[], object]] = {
                "neighbour": measured.beside_a_prompt,
                "cancel": measured.cancels,
                "time": lambda: measured.time_left(timed, killed=False),
                "resume": lambda: measured.time_left(timed, killed=True),
            }
            for part in wanted:
                report(results, part, steps[part]())
    if out is not None:
        out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
