"""Switch tracing on if the standard OTEL_* variables ask for it, and flush it before a process ends.

The variables are those of the OpenTelemetry specification, and the SDK reads all but three of them by itself:
sampler, limits, batches, resource, endpoint, headers. Tracing is on if OTEL_TRACES_EXPORTER names an exporter
or an OTLP endpoint is set, and OTEL_SDK_DISABLED is not true.
"""

import atexit
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from threading import Thread
from typing import TYPE_CHECKING

from opentelemetry import trace

from shared.settings import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

logger = logging.getLogger(__name__)

EXPORTERS = "OTEL_TRACES_EXPORTER"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
OTLP, NONE = "otlp", "none"
HTTP = "http/protobuf"
GROUP = "opentelemetry_traces_exporter"
"""Entry points of installed exporters, by the name that OTEL_TRACES_EXPORTER has for them."""
FLUSH_SECONDS = 2.0

running: dict[str, "TracerProvider"] = {}
"""The provider of this process under the key `provider`; empty while tracing is off."""


def is_on() -> bool:
    """Whether this process writes spans."""
    return bool(running)


def exporter_names(environment: Mapping[str, str]) -> list[str]:
    """Names of the exporters that the environment asks for, without doubles; empty if tracing is off."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    has_endpoint = any(environment.get(name) for name in ENDPOINTS)
    named = environment.get(EXPORTERS) or (OTLP if has_endpoint else NONE)
    names = [name.strip() for name in named.split(",")]
    return [name for name in dict.fromkeys(names) if name and name != NONE]


def entry_point_of(name: str, environment: Mapping[str, str]) -> str:
    """The entry point's name: that of `otlp` depends on the protocol."""
    if name != OTLP:
        return name
    protocol = next((environment[variable] for variable in PROTOCOLS if environment.get(variable)), HTTP)
    return "otlp_proto_http" if protocol == HTTP else f"otlp_proto_{protocol}"


def configure_tracing(service: str, environment: Mapping[str, str] = os.environ) -> None:
    """Switch tracing on if the environment asks for it. service: used unless OTEL_SERVICE_NAME is set.

    Called once when a process starts. Raises SettingsError for an exporter that is not installed.
    """
    names = exporter_names(environment)
    if names and not is_on():
        start(service, [load_exporter(name, environment) for name in names])


def configure_tracing_or_exit(service: str) -> None:
    """As `configure_tracing`; an exporter that is not installed ends the process with one line."""
    try:
        configure_tracing(service)
    except SettingsError as error:
        sys.exit(f"{service}: {error}")


def load_exporter(name: str, environment: Mapping[str, str]) -> "SpanExporter":
    """The exporter of this name. Raises SettingsError if no installed package has it."""
    wanted = entry_point_of(name, environment)
    found = [point for point in entry_points(group=GROUP) if point.name == wanted]
    if not found:
        known = sorted(point.name for point in entry_points(group=GROUP))
        raise SettingsError(f"{EXPORTERS}: no exporter {wanted} is installed, but {', '.join(known)}")
    return found[0].load()()


def start(service: str, exporters: Sequence["SpanExporter"]) -> None:
    """Install the provider. The SDK is imported here, so that a process without tracing does not load it."""
    from shared.tracing.sdk import make_provider

    running["provider"] = make_provider(service, exporters)
    trace.set_tracer_provider(running["provider"])
    atexit.register(flush_tracing)
    logger.info("tracing is on", extra={"exporters": [type(exporter).__name__ for exporter in exporters]})


def flush_tracing() -> None:
    """Send the spans that wait, for at most two seconds; called before a process ends.

    In a thread of its own, because the SDK waits for a collector that does not answer, whatever its limit.
    """
    if is_on():
        flushing = Thread(target=running["provider"].force_flush, name="flush traces", daemon=True)
        flushing.start()
        flushing.join(FLUSH_SECONDS)
