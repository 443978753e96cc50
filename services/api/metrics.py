"""What the gateway counts, in a registry of its own so that several gateways can live in one process."""

from prometheus_client import CollectorRegistry, Counter


class Metrics:
    """Counters by name."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.problems = Counter(
            "luminary_gateway_problems",
            "Requests refused, by stable code.",
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
            "Doorbells by queue and outcome: rung, failed (no broker), dropped (too many waiting).",
            ["queue", "outcome"],
            registry=self.registry,
        )
