"""The parts that need OpenTelemetry's SDK; imported only while tracing is on."""

import logging
import os
import time
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from shared.outages import Outage
from shared.tracing.names import HIDDEN, URL_QUERY
from shared.tracing.spans import planned_span_id

logger = logging.getLogger(__name__)

NOISY = ("opentelemetry.exporter", "opentelemetry.sdk")
"""Loggers that write a line for each try of each batch."""


class PlannedIds(RandomIdGenerator):
    """Random ids, except for spans whose id was planned; see `shared.tracing.contexts`."""

    def generate_span_id(self) -> int:
        """The planned id if there is one."""
        return planned_span_id.get() or super().generate_span_id()


class WithoutQueries(SpanProcessor):
    """Hides the queries of URLs, because clients put keys there by mistake."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Replace the query."""
        del parent_context
        if URL_QUERY in (span.attributes or {}):
            span.set_attribute(URL_QUERY, HIDDEN)


class WatchedExporter(SpanExporter):
    """Logs one line when a collector stops answering and one when it answers again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._outage = Outage(logger, "the collector of traces")
        for name in NOISY:
            logging.getLogger(name).setLevel(logging.CRITICAL)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; without an answer, its spans are lost and nothing else is."""
        started = time.monotonic()
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._outage.answered()
        else:
            self._outage.failed("spans are lost", started)
        return result

    def shutdown(self) -> None:
        """Close the exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what the exporter itself has kept."""
        return self._exporter.force_flush(timeout_millis)


def make_provider(service: str, exporters: Sequence[SpanExporter]) -> TracerProvider:
    """A provider that sends spans in batches. OTEL_SERVICE_NAME replaces the name of the service."""
    name = os.environ.get("OTEL_SERVICE_NAME") or f"luminary-{service}"
    provider = TracerProvider(
        resource=Resource.create({SERVICE_NAME: name}),
        id_generator=PlannedIds(),
        shutdown_on_exit=False,  # it would wait for a dead collector; see `setup.flush_tracing`
    )
    provider.add_span_processor(WithoutQueries())
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(WatchedExporter(exporter)))
    return provider
