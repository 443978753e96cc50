"""Prometheus metrics of the gateway, in a separate registry: tests run several gateways in one process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


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
        self.requests = Histogram(
            "luminary_gateway_request_seconds",
            "Seconds from a request to the end of its answer, by method, route and class of the status.",
            ["method", "route", "status"],
            buckets=REQUEST_SECONDS,
            registry=self.registry,
        )
        self.reads = Counter(
            "luminary_gateway_reads",
            "Reads of lists, trees and exports, by server: replica or primary.",
            ["server"],
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
        self.workers = Gauge(
            "luminary_fleet_workers",
            "Workers by queue and state: live, draining, or silent (no heartbeat for the time of a lease).",
            ["queue", "state"],
            registry=self.registry,
        )
        self.slots = Gauge(
            "luminary_fleet_slots", "Slots of live workers, by queue.", ["queue"], registry=self.registry
        )
        self.oldest_wait = Gauge(
            "luminary_queue_oldest_seconds",
            "Seconds that the first waiting job of a queue has waited; 0 for an empty queue.",
            ["queue"],
            registry=self.registry,
        )
        self.speed = Gauge(
            "luminary_fleet_codes_per_second",
            "Speed of the running jobs together, by queue.",
            ["queue"],
            registry=self.registry,
        )
        self.due_webhooks = Gauge(
            "luminary_webhooks_due", "Deliveries of webhooks that could be tried now.", registry=self.registry
        )
        self.oldest_webhook = Gauge(
            "luminary_webhooks_oldest_seconds",
            "Seconds that the first of them has waited.",
            registry=self.registry,
        )

    def forget_fleet(self) -> None:
        """Show no figures that come from the database, because it does not answer."""
        for gauge in (self.workers, self.slots, self.oldest_wait, self.speed):
            gauge.clear()
        for gauge in (self.due_webhooks, self.oldest_webhook):
            gauge.set(float("nan"))
