"""Prometheus metrics of the tokenizer service, in a separate registry: tests run several in one process."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

Operation = Literal["encode", "decode", "preview", "mask"]

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
BATCH_SIZES = (1, 2, 4, 8, 16, 32)


class Metrics:
    """The service's counters, histograms and gauges."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.problems = Counter(
            "luminary_tokenizer_problems",
            "Error responses, by problem code.",
            ["code"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "luminary_tokenizer_request_seconds",
            "Seconds of an operation, including waiting.",
            ["operation"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "luminary_tokenizer_batch_size",
            "Pictures in one batch.",
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
            "Items that wait or are being computed, by direction.",
            ["direction"],
            registry=self.registry,
        )

    @contextmanager
    def timed(self, operation: Operation) -> Generator[None]:
        """Measure the seconds of the block; nothing is recorded if it raises."""
        started = time.perf_counter()
        yield
        self.seconds.labels(operation).observe(time.perf_counter() - started)
