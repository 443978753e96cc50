"""The parts that need OpenTelemetry's SDK; imported only while tracing is on."""

import os
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from shared.tracing.names import HIDDEN, URL_QUERY
from shared.tracing.spans import planned_span_id


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


def make_provider(service: str, exporters: Sequence[SpanExporter]) -> TracerProvider:
    """A provider that sends spans in batches. OTEL_SERVICE_NAME replaces the name of the service."""
    name = os.environ.get("OTEL_SERVICE_NAME") or f"luminary-{service}"
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}), id_generator=PlannedIds())
    provider.add_span_processor(WithoutQueries())
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
