"""Prometheus metrics of the gateway, in a separate registry: tests run several gateways in one process."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    """The gateway's counters and gauges."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.problems = Counter(
            "luminary_gateway_problems",
            "Error responses, by problem code.",
            ["code"],
            registry=self.registry,
        )
        self.jobs = Counter(
            "luminary_gateway_jobs",
            "Jobs queued, by task.",
            ["task"],
            registry=self.registry,
        )
        self.doorbells = Counter(
            "luminary_gateway_doorbells",
            "Doorbells by queue and outcome: rung, failed (broker unreachable), dropped (too many waiting).",
            ["queue", "outcome"],
            registry=self.registry,
        )
        self.streams = Gauge(
            "luminary_gateway_event_streams",
            "Open event streams.",
            registry=self.registry,
        )
        self.work = Gauge(
            "luminary_queue_jobs",
            "Open jobs of the platform by queue, requested model and state: waiting (a free slot could start"
            " them) or running. There are no figures while the database does not answer.",
            ["queue", "model", "state"],
            registry=self.registry,
        )
