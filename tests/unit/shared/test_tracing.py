"""Tracing: when it is on, what it costs while it is off, and the ids that survive a lost worker."""

import logging
import subprocess
import sys
from collections.abc import Sequence
from uuid import UUID

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from shared.settings import SettingsError
from shared.tracing.contexts import JobTrace, current_headers, current_traceparent, inside_job
from shared.tracing.sdk import WatchedExporter
from shared.tracing.setup import exporter_names, load_exporter
from shared.tracing.spans import leaf
from tests.support.source_tree import ROOT, tracked_files

JOB = UUID("0190a000-0000-7000-8000-000000000001")
TRACE, REQUEST = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{REQUEST}-01"
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({}, []),
        ({"OTEL_SERVICE_NAME": "x"}, []),
        (ENDPOINT, ["otlp"]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, ["otlp"]),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, []),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "console, otlp,console"}, ["console", "otlp"]),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "TRUE"}, []),
    ],
)
def test_the_standard_variables_switch_tracing_on(environment: dict[str, str], names: list[str]) -> None:
    assert exporter_names(environment) == names


def test_an_exporter_that_is_not_installed_is_one_clear_line() -> None:
    with pytest.raises(SettingsError) as refusal:
        load_exporter("otlp", {"OTEL_EXPORTER_OTLP_PROTOCOL": "no-such"})
    assert str(refusal.value).startswith("OTEL_TRACES_EXPORTER: no exporter otlp_proto_no-such is installed")
    assert "\n" not in str(refusal.value)


def test_a_process_without_tracing_does_not_load_the_sdk() -> None:
    program = (
        "import sys\n"
        "from shared.tracing.setup import configure_tracing, flush_tracing\n"
        "from shared.tracing.spans import leaf\n"
        "import shared.database, shared.storage, shared.job_store\n"
        "configure_tracing('gateway', {})\n"
        "with leaf('x', {'a': 1}) as span:\n"
        "    assert not span.is_recording()\n"
        "flush_tracing()\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_process_gives_the_spans_of_a_job_the_same_ids() -> None:
    first, second = JobTrace.of(JOB, SAMPLED), JobTrace.of(JOB, SAMPLED)
    assert first is not None
    assert second is not None
    spans = [first.span(attempt) for attempt in range(4)]
    assert [span.span_id for span in spans] == [second.span(attempt).span_id for attempt in range(4)]
    assert len({span.span_id for span in spans}) == 4
    assert {trace.format_trace_id(span.trace_id) for span in spans} == {TRACE}
    other = JobTrace.of(UUID(int=JOB.int + 1), SAMPLED)
    assert other is not None
    assert other.span().span_id != first.span().span_id


@pytest.mark.parametrize("traceparent", [None, "", "nonsense", f"00-{'0' * 32}-{REQUEST}-01"])
def test_a_job_without_a_valid_context_is_not_traced(traceparent: str | None) -> None:
    assert JobTrace.of(JOB, traceparent) is None
    with inside_job(JOB, traceparent):
        assert current_traceparent() is None
        assert current_headers() == {}


@pytest.mark.parametrize("flags", ["00", "01"])
def test_an_attempt_passes_on_its_span_and_whether_it_is_sampled(flags: str) -> None:
    job = JobTrace.of(JOB, f"00-{TRACE}-{REQUEST}-{flags}")
    assert job is not None
    with inside_job(JOB, f"00-{TRACE}-{REQUEST}-{flags}", attempt=2):
        attempt = trace.format_span_id(job.span(2).span_id)
        assert current_headers() == {"traceparent": f"00-{TRACE}-{attempt}-{flags}"}
        with leaf("below", {}):
            assert current_headers() == {"traceparent": f"00-{TRACE}-{attempt}-{flags}"}
    assert current_traceparent() is None


def test_one_file_spells_the_conventions_for_generative_ai() -> None:
    spelling = {
        str(file.relative_to(ROOT))
        for file in tracked_files(".py")
        if "gen_ai." in file.read_text(encoding="utf-8") and file.relative_to(ROOT).parts[0] != "tests"
    }
    assert spelling == {"shared/tracing/names.py"}


class Collector(SpanExporter):
    """A collector that answers only while `results` says so."""

    def __init__(self, results: list[SpanExportResult]) -> None:
        self._results = results

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._results.pop(0)


def test_an_outage_of_the_collector_is_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    failure, success = SpanExportResult.FAILURE, SpanExportResult.SUCCESS
    exporter = WatchedExporter(Collector([success, failure, failure, failure, success, success]))
    with caplog.at_level(logging.INFO):
        for _ in range(6):
            exporter.export([])
    assert [record.getMessage() for record in caplog.records] == [
        "the collector of traces does not answer; retrying until it does",
        "the collector of traces answers again",
    ]


def test_a_process_ends_soon_although_its_collector_hangs() -> None:
    program = (
        "import socket, time\n"
        "from shared.tracing.setup import configure_tracing, flush_tracing\n"
        "from shared.tracing.spans import TRACER\n"
        "hangs = socket.create_server(('127.0.0.1', 0))\n"
        "url = f'http://127.0.0.1:{hangs.getsockname()[1]}'\n"
        "import os; os.environ['OTEL_EXPORTER_OTLP_ENDPOINT'] = url\n"
        "configure_tracing('test', os.environ)\n"
        "TRACER.start_span('waits').end()\n"
        "started = time.monotonic()\n"
        "flush_tracing()\n"
        "print(time.monotonic() - started)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert 1.5 < float(done.stdout) < 8  # the exporter itself waits for ten seconds
