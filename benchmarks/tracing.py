"""Measure what tracing adds to a tiny job.

    python -m benchmarks.tracing --out docs/benchmarks/tracing.json

Two platforms run at the same time, one with tracing, which sends its spans to a collector in this process.
Jobs go to both in turn (off, on, on, off ...), so that what else the machine does meets both alike. The
interval is a bootstrap of the medians over the pairs.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.platform_models import write_models
from benchmarks.platform_run import RunningPlatform, running_platform
from benchmarks.random_model import SMALL

SIZE, PROMPT = "64x64", "a red circle"
RESAMPLES = 2000
START_SECONDS = 600.0


class Collector(BaseHTTPRequestHandler):
    """Accepts spans and drops them."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer 200 without a body."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
        """Log nothing."""


@contextmanager
def collector() -> Generator[str]:
    """Run a collector and yield its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def milliseconds(platform: RunningPlatform, seed: int) -> float:
    """Time of one job from the request to the answer with its picture."""
    begun = time.perf_counter()
    platform.draw(PROMPT, SIZE, seed)
    return 1000 * (time.perf_counter() - begun)


def pairs(off: RunningPlatform, on: RunningPlatform, count: int) -> list[tuple[float, float]]:
    """Milliseconds of the same jobs without and with tracing. The first jobs, which connect, are not kept."""
    for platform in (off, on):
        platform.draw(PROMPT, SIZE, 0)
    found: list[tuple[float, float]] = []
    for seed in range(1, count + 1):
        if seed % 2:
            without = milliseconds(off, seed)
            found.append((without, milliseconds(on, seed)))
        else:
            traced = milliseconds(on, seed)
            found.append((milliseconds(off, seed), traced))
    return found


def overhead(measured: Sequence[tuple[float, float]]) -> float:
    """Percent by which the median job with tracing takes longer."""
    off, on = zip(*measured, strict=True)
    return 100 * (statistics.median(on) / statistics.median(off) - 1)


def summary(measured: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Medians in milliseconds, and the overhead in percent with its 95 % interval."""
    chance = random.Random(1)  # noqa: S311  (resampling)
    resampled = sorted(overhead(chance.choices(measured, k=len(measured))) for _ in range(RESAMPLES))
    off, on = zip(*measured, strict=True)
    return {
        "jobs": len(measured),
        "size": SIZE,
        "off_ms": round(statistics.median(off), 2),
        "on_ms": round(statistics.median(on), 2),
        "overhead_percent": round(overhead(measured), 2),
        "interval_percent": [round(resampled[int(share * (RESAMPLES - 1))], 2) for share in (0.025, 0.975)],
    }


def main() -> None:
    """Measure and write the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=100)
    arguments = parser.parse_args()
    machine = describe_machine()
    with tempfile.TemporaryDirectory(prefix="luminary-benchmark-") as name, collector() as url:
        folder = Path(name)
        model = write_models(folder / "model", SMALL)
        with (
            running_platform(folder / "off", model, slots=1, start_seconds=START_SECONDS) as off,
            running_platform(
                folder / "on",
                model,
                slots=1,
                settings={"OTEL_EXPORTER_OTLP_ENDPOINT": url},
                start_seconds=START_SECONDS,
            ) as on,
        ):
            results = {"machine": machine, "tracing": summary(pairs(off, on, arguments.jobs))}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
