"""An OpenTelemetry collector for tests: receives spans over OTLP and appends them to a file, one a line."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class CollectedSpan:
    """One span. Times are nanoseconds since 1970."""

    service: str
    name: str
    trace_id: str
    id: str
    parent: str | None
    started: int
    ended: int
    attributes: dict[str, Any]
    links: list[str]
    failed: bool


class Handler(BaseHTTPRequestHandler):
    """Takes the requests of exporters."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        assert isinstance(self.server, Server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.collector.keep(ExportTraceServiceRequest.FromString(body))
        answer = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", PROTOBUF)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
        """Log nothing."""


class Server(ThreadingHTTPServer):
    """The collector's HTTP server."""

    daemon_threads = True

    def __init__(self, collector: "SpanCollector") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.collector = collector


class SpanCollector:
    """Collects the spans of every service."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.url = ""
        self._lock = Lock()
        file.touch()

    def keep(self, request: ExportTraceServiceRequest) -> None:
        """Append the spans of one request to the file."""
        spans = [
            span_of(resource.resource.attributes, span)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        with self._lock, self.file.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(vars(span)) + "\n" for span in spans)

    def spans(self, trace_id: str) -> list[CollectedSpan]:
        """The spans of a trace in the order of their starts, read from the file."""
        with self._lock:
            lines = self.file.read_text(encoding="utf-8").splitlines()
        spans = [CollectedSpan(**json.loads(line)) for line in lines]
        return sorted((span for span in spans if span.trace_id == trace_id), key=lambda span: span.started)


def span_of(resource: Any, span: Any) -> CollectedSpan:
    """A span of the protocol."""
    return CollectedSpan(
        service=values_of(resource)["service.name"],
        name=span.name,
        trace_id=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex() or None,
        started=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        attributes=values_of(span.attributes),
        links=[link.span_id.hex() for link in span.links],
        failed=span.status.code == span.status.STATUS_CODE_ERROR,
    )


def values_of(attributes: Any) -> dict[str, Any]:
    """The attributes of a span or a resource."""
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in attributes}


def traces_to(collector: SpanCollector) -> dict[str, str]:
    """Environment variables that let a service send its spans to the collector at once."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}


@contextmanager
def collecting(file: Path) -> Iterator[SpanCollector]:
    """Run a collector that writes to the file."""
    collector = SpanCollector(file)
    with Server(collector) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
