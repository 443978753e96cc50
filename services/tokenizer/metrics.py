"""What the tokenizer service counts, in a registry of its own so that several can live in one process."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

Operation = Literal["encode", "decode", "preview", "mask"]

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
BATCH_SIZES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """Counters, histograms and gauges by name."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.problems = Counter(
            "luminary_tokenizer_problems",
            "Requests refused, by stable code.",
            ["code"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "luminary_tokenizer_request_seconds",
            "Seconds of an operation, waiting included.",
            ["operation"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "luminary_tokenizer_batch_size",
            "Pictures that the model worked on together.",
            ["direction"],
            buckets=BATCH_SIZES,
            registry=self.registry,
        )
        self.model_seconds = Histogram(
            "luminary_tokenizer_model_seconds",
            "Seconds of the model for one batch.",
            ["direction"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.waiting = Gauge(
            "luminary_tokenizer_waiting",
            "Requests inside, by direction.",
            ["direction"],
            registry=self.registry,
        )

    @contextmanager
    def timed(self, operation: Operation) -> Generator[None]:
        """Observe the seconds of the block when it succeeds."""
        started = time.perf_counter()
        yield
        self.seconds.labels(operation).observe(time.perf_counter() - started)
